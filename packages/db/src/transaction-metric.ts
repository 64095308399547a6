import type { Labels, Metrics } from '@berth/telemetry'
import type { Database } from './database.ts'

/**
 * Shows how many writing transactions there were, as `berth_db_transactions_total` by `purpose` and `outcome`: `committed`, `rolled_back`, or
 * `retried` (rolled back and begun again). Every outcome may have taken a transaction id.
 */
export function showTransactions(metrics: Metrics, db: Database): void {
  metrics.read('berth_db_transactions_total', 'Writing transactions by purpose and outcome.', () => {
    const counts = new Map<Labels, number>()
    for (const [purpose, { committed, rolledBack, retried }] of Object.entries(db.metrics())) {
      counts.set({ purpose, outcome: 'committed' }, committed)
      counts.set({ purpose, outcome: 'rolled_back' }, rolledBack)
      counts.set({ purpose, outcome: 'retried' }, retried)
    }
    return counts
  })
}
