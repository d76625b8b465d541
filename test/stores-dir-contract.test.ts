// Dated directories keep the promises of every store.
import { dirMaker } from "./helpers/dirmaker.ts";
import { rclones } from "./helpers/rclones.ts";
import { storeContract } from "./helpers/storecontract.ts";

for (const rclone of rclones) storeContract(dirMaker(rclone));
