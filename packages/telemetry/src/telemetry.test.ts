import { describe, expect, it } from 'vitest'
import { createLogger, createMetrics, redactText, serveHealth } from './index.ts'

describe('the logger', () => {
  const written = (log: (logger: ReturnType<typeof createLogger>) => void) => {
    const lines: string[] = []
    log(createLogger({ name: 'test', stream: { write: (line: string) => void lines.push(line) } }))
    return lines.join('')
  }

  it('writes JSON lines with name, level and time', () => {
    expect(JSON.parse(written((logger) => logger.info({ count: 1 }, 'hello')))).toMatchObject({
      name: 'test',
      level: 'info',
      count: 1,
      msg: 'hello',
    })
  })

  it('writes no secret, be it a key, a text or inside an error', () => {
    const text = written((logger) => {
      logger.info({ password: 'hunter2', nested: { token: 'hunter2' } }, 'x')
      logger.info('connect to postgres://image:hunter2@localhost/berth')
      logger.error({ err: new Error('no route to nats://a:hunter2@b', { cause: new Error('berth_hunter2hunter2hunter2') }) }, 'failed')
      logger.info('authorization: Bearer hunter2hunter2')
    })
    expect(text).not.toContain('hunter2')
    expect(text.trim().split('\n')).toHaveLength(4)
  })

  it('leaves other texts as they are', () => {
    expect(redactText('https://host/path?a=b and berth_short')).toBe('https://host/path?a=b and berth_short')
  })
})

describe('metrics', () => {
  it('renders counters, gauges, read values and histograms in Prometheus’s format', () => {
    const metrics = createMetrics()
    metrics.counter('berth_calls_total', 'Calls.').add(2, { code: 'o"k\n' })
    metrics.gauge('berth_instances', 'Instances.').set(3)
    metrics.read('berth_free_bytes', 'Free.', () => new Map([[{ pool: 'a' }, 5]]))
    metrics.read('berth_broken', 'Broken.', () => {
      throw new Error('no')
    })
    const histogram = metrics.histogram('berth_time_seconds', 'Time.', [1, 2])
    histogram.observe(1.5)
    histogram.observe(9)
    expect(metrics.render()).toBe(
      [
        '# HELP berth_calls_total Calls.',
        '# TYPE berth_calls_total counter',
        'berth_calls_total{code="o\\"k\\n"} 2',
        '# HELP berth_instances Instances.',
        '# TYPE berth_instances gauge',
        'berth_instances 3',
        '# HELP berth_free_bytes Free.',
        '# TYPE berth_free_bytes gauge',
        'berth_free_bytes{pool="a"} 5',
        '# HELP berth_broken Broken.',
        '# TYPE berth_broken gauge',
        '# HELP berth_time_seconds Time.',
        '# TYPE berth_time_seconds histogram',
        'berth_time_seconds_bucket{le="1"} 0',
        'berth_time_seconds_bucket{le="2"} 1',
        'berth_time_seconds_bucket{le="+Inf"} 2',
        'berth_time_seconds_sum 10.5',
        'berth_time_seconds_count 2',
        '',
      ].join('\n'),
    )
  })

  it('refuses a name that is taken or not ours', () => {
    const metrics = createMetrics()
    metrics.gauge('berth_a', 'A.')
    expect(() => metrics.gauge('berth_a', 'A.')).toThrow('already')
    expect(() => metrics.gauge('Other', 'A.')).toThrow('no name')
  })
})

describe('the health listener', () => {
  it('tells life, readiness and metrics', async () => {
    let database = true
    const metrics = createMetrics()
    metrics.gauge('berth_up', 'Up.').set(1)
    await using server = await serveHealth({ host: '127.0.0.1', port: 0, ready: async () => ({ database }), metrics })
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`)
      return [response.status, await response.text()]
    }
    expect(await get('/healthz')).toEqual([200, 'ok\n'])
    expect(await get('/readyz')).toEqual([200, '{"ready":true,"database":true}\n'])
    database = false
    expect(await get('/readyz')).toEqual([503, '{"ready":false,"database":false}\n'])
    expect((await get('/metrics'))[1]).toContain('berth_up 1')
    expect((await get('/other'))[0]).toBe(404)
  })

  it('is not ready when the check itself fails', async () => {
    const ready = async () => Promise.reject(new Error('no'))
    await using server = await serveHealth({ host: '127.0.0.1', port: 0, ready, metrics: createMetrics() })
    expect((await fetch(`http://127.0.0.1:${server.port}/readyz`)).status).toBe(503)
  })
})
