/** Builds the program with all components before the first test: those that need less use it, too. */
import { binary } from './binary.js'

export default function setup(): void {
  binary(false)
}
