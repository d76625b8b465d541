// S3 keeps the promises of every store, on two real servers.
import { after } from "node:test";
import { startMoto } from "./helpers/moto.ts";
import { s3Maker } from "./helpers/s3store.ts";
import { raw, storeContract } from "./helpers/storecontract.ts";
import { startVersitygw } from "./helpers/versitygw.ts";

const scope = { after: (action: () => unknown) => after(async () => void (await action())) };

storeContract(
  s3Maker(startMoto(scope), "moto", {
    many: 60,
    tellsGone: false,
    takes: (name) => !name.includes(raw("␊")),
  }),
);
// It keeps objects as files, and their times in seconds.
storeContract(
  s3Maker(startVersitygw(scope), "versitygw", {
    many: 60,
    precision: 1000,
    besideDirectory: false,
  }),
);
