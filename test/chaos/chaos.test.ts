// All scenarios, in one file: one after the other, since each needs the machine for itself. `npm test` runs those that are fast.
import './scenarios/control-plane.ts'
import './scenarios/deletion.ts'
import './scenarios/endpoint.ts'
import './scenarios/kafka.ts'
import './scenarios/kafka-log.ts'
import './scenarios/random.ts'
import './scenarios/retry-batch.ts'
import './scenarios/worker.ts'
