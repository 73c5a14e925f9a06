/** Builds the control plane, so that the tests find it ready: `npx tsx tests/cluster/build.ts`. */
import { binary } from './binary.js'

console.log(binary(false))
