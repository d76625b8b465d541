// Every kind of store keeps the same promises.
import { b2Maker } from "./helpers/b2store.ts";
import { storeContract } from "./helpers/storecontract.ts";

for (const maker of [b2Maker]) storeContract(maker);
