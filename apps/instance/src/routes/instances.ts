import { InstanceService } from '@berth/proto/berth/instance/v1/instance_pb.ts'
import { callerOf } from '@berth/rpc'
import type { RouteContext, Routes } from './context.ts'
import { createInstance } from './create-instance.ts'
import { execInstance } from './exec-instance.ts'
import { streamLogs } from './stream-logs.ts'
import { deleteInstance, restartInstance, startInstance, stopInstance, updateInstance } from './change-instance.ts'

type Of<K extends keyof Routes<typeof InstanceService>> = NonNullable<Routes<typeof InstanceService>[K]>

/** `berth.instance.v1.InstanceService`. */
export function instanceRoutes(ctx: RouteContext): Routes<typeof InstanceService> {
  const getInstance: Of<'getInstance'> = async ({ id }, call) => ({ instance: await ctx.instances.get(callerOf(call).project, id) })
  const listInstances: Of<'listInstances'> = (page, call) => ctx.instances.list(callerOf(call).project, page)
  return {
    getInstance,
    listInstances,
    async *watchInstances({ filter, resumeToken }, call) {
      yield* ctx.instances.watch({ project: callerOf(call).project, filter, resumeToken, signal: call.signal })
    },
    createInstance: (request, call) => createInstance(ctx, request, call),
    updateInstance: (request, call) => updateInstance(ctx, request, call),
    startInstance: (request, call) => startInstance(ctx, request, call),
    stopInstance: (request, call) => stopInstance(ctx, request, call),
    restartInstance: (request, call) => restartInstance(ctx, request, call),
    deleteInstance: (request, call) => deleteInstance(ctx, request, call),
    execInstance: (requests, call) => execInstance(ctx, requests, call),
    streamInstanceLogs: (request, call) => streamLogs(ctx, request, call),
  }
}
