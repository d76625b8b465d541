/*
 * Fetches every page of a listing from a B2 service and parses it, and does nothing else: what planning
 * is compared with. Prints how many versions it were.
 */
import { request } from "undici";
import { isFields, list, type Fields } from "../../lib/stores/b2/answers.ts";

const [, , endpoint = "", keyId = "", key = "", bucketName = "", prefix = "", pageSize = ""] =
  process.argv;

async function read(url: string, authorization: string, body?: object): Promise<Fields> {
  const answer = await request(url, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization, "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  if (answer.statusCode !== 200) throw new Error(`${url}: ${answer.statusCode}`);
  const fields: unknown = JSON.parse(await answer.body.text());
  if (!isFields(fields)) throw new Error(`${url}: no object`);
  return fields;
}

const basic = `Basic ${Buffer.from(`${keyId}:${key}`).toString("base64")}`;
const account = await read(`${endpoint}/b2api/v2/b2_authorize_account`, basic);
const token = String(account["authorizationToken"]);
const found = await read(`${endpoint}/b2api/v2/b2_list_buckets`, token, {
  accountId: account["accountId"],
  bucketName,
});
const [bucket] = list("b2_list_buckets", found, "buckets");
const bucketId = bucket?.["bucketId"];

let versions = 0;
let start: object | undefined = {};
while (start !== undefined) {
  const page: Fields = await read(`${endpoint}/b2api/v2/b2_list_file_versions`, token, {
    bucketId,
    prefix,
    maxFileCount: Number(pageSize),
    ...start,
  });
  versions += Array.isArray(page["files"]) ? page["files"].length : 0;
  const { nextFileName: startFileName, nextFileId: startFileId } = page;
  start = startFileName === null ? undefined : { startFileName, startFileId };
}
console.log(versions);
