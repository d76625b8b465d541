// A module of its own: imported lazily by itself, the bundled CommonJS package has no named exports.
export { EnvHttpProxyAgent, Pool, request } from "undici";
