import { expect, it } from 'vitest'
import { renderMemory, renderRows } from './report.ts'

it('a row with a rival shows ratio and difference, and whether its goal was reached', () => {
  const rows = [
    { measure: 'create to agent', unit: 'ms' as const, berth: 1100, rival: 1000, goal: { text: '≤ 100 ms', met: true }, note: 'noise' },
    { measure: 'creates', unit: '/s' as const, berth: 9.5, goal: { text: '≥ 100 /s', met: false } },
  ]
  expect(renderRows(rows)).toBe(
    [
      'MEASURE          BERTH    RIVAL    RATIO  DIFFERENCE  GOAL             NOTE',
      'create to agent  1100 ms  1000 ms  1.10   100 ms      ≤ 100 ms met     noise',
      'creates          9.50 /s                              ≥ 100 /s MISSED',
    ].join('\n'),
  )
})

it('memory is shown without VMs and with them', () => {
  const text = renderMemory([{ group: 'shims', processes: [0, 10], rssBytes: [0, 10 * 2 ** 20], pssBytes: [0, 5 * 2 ** 20] }])
  expect(text.split('\n')[1]).toBe('shims                 0 → 10     0 → 10   0 → 5')
})
