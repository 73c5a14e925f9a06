/**
 * Property tests draw the same cases in each run, so that a failure is of the change that made it. `SEED=$RANDOM npm test`
 * draws others.
 */
import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env.SEED ?? 1) })
