import { setV8Flags } from "./v8flags.ts";

/** V8 optimizes what is called often, and compiles a function at its first call: by what these say then. */
const flags = ["wasm-tier-up", "wasm-dynamic-tiering", "wasm-lazy-compilation"] as const;

/**
 * Makes WebAssembly modules in a function, which may throw, that V8's optimizing compiler then leaves alone.
 * It is for code that is quick enough as V8 first compiles it and costly to optimize. The function should
 * load nothing else: while V8's flags differ, Node can't use the compiled form of its own modules.
 */
export function withoutOptimizing(make: () => void): void {
  setV8Flags(...flags.map((flag) => `no-${flag}`));
  try {
    make();
  } finally {
    setV8Flags(...flags);
  }
}
