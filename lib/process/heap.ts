import { setV8Flags } from "./v8flags.ts";

/**
 * For work that streams: lets V8 make all new objects where short-lived ones are. Left to itself it comes to
 * believe that those of a listing live long (a page of them may be in use while it cleans up), makes
 * them among the long-lived ones from then on, and cleans up there only after tens of megabytes. Call it when
 * most of what is needed was loaded: from then on Node compiles its own modules anew, which takes
 * milliseconds for each.
 */
export function expectShortLives(): void {
  setV8Flags("no-allocation-site-pretenuring");
}

/**
 * For work that moves much through few objects: lets V8 clean up early, so that what came from the network is
 * given back before much more has come. As with expectShortLives, call it when most of what is needed
 * was loaded.
 */
export function keepMemorySmall(): void {
  setV8Flags("optimize-for-size");
}
