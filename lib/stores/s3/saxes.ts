// A module of its own: imported lazily by itself, the bundled CommonJS package has no named exports.
export { SaxesParser } from "saxes";
