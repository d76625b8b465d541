import { setFlagsFromString } from "node:v8";

/**
 * For work that streams: lets V8 make all new objects where short-lived ones are. Left to itself it comes to
 * believe that those of a listing live long (a page of them may be in use while it cleans up), makes
 * them among the long-lived ones from then on, and cleans up there only after tens of megabytes.
 */
export function expectShortLives(): void {
  setFlagsFromString("--no-allocation-site-pretenuring");
}
