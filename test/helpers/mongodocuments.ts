import * as fc from "fast-check";
import { BSON, type Document } from "mongodb";
import { idOf, type Value } from "../../lib/documents/bson.ts";

/** The id of a document, as the server sends it. */
export function id(value: unknown): Value {
  const found = idOf(BSON.serialize({ _id: value }, { ignoreUndefined: false }));
  if (found === undefined) throw new Error("expected an id");
  return found;
}

function bytesOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

/** Values of all types that an id can have. */
export function someId(): fc.Arbitrary<unknown> {
  const { ObjectId, Long, Double, Int32, Binary, Decimal128, Timestamp, MinKey, MaxKey } = BSON;
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 80 }),
    fc.string({ unit: fc.constantFrom("a", "A", "~", "%", "/", "."), maxLength: 150 }),
  );
  const simple = fc.oneof(
    bytesOf(12).map((each) => new ObjectId(each)),
    text,
    fc.integer().map((each) => new Int32(each)),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((each) => Long.fromBigInt(each)),
    fc.double().map((each) => new Double(each)),
    fc.boolean(),
    fc.date().map((each) => (Number.isNaN(each.getTime()) ? new Date(0) : each)),
    fc.constant(null),
    fc
      .tuple(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(0, 3, 5, 6, 7, 128))
      .map(([each, subtype]) => new Binary(each, subtype)),
    bytesOf(16).map((each) => new Binary(each, 4)),
    bytesOf(16).map((each) => new Decimal128(each)),
    fc.tuple(fc.nat(), fc.nat()).map(([t, i]) => new Timestamp({ t, i })),
    fc.constant(new MinKey()),
    fc.constant(new MaxKey()),
  );
  return fc.oneof(
    { weight: 4, arbitrary: simple },
    {
      weight: 1,
      arbitrary: fc.dictionary(fc.stringMatching(/^[a-z.$]{1,5}$/), simple, { maxKeys: 4 }),
    },
  );
}

/** Documents with ids and values of all types, nested and in arrays. */
export function someDocument(): fc.Arbitrary<Document> {
  const { Code, BSONRegExp, BSONSymbol } = BSON;
  const text = fc.string({ unit: "grapheme", maxLength: 10 });
  const value = fc.oneof(
    someId(),
    text.map((each) => new Code(each)),
    text.map((each) => new Code(each, { a: 1 })),
    text.map((each) => new BSONSymbol(each)),
    fc.constant(new BSONRegExp("^a.*\\n$", "imx")),
    fc.constantFrom(Number.NaN, -0, Number.POSITIVE_INFINITY),
    fc.array(fc.array(someId(), { maxLength: 2 }), { maxLength: 3 }),
  );
  const key = fc.stringMatching(/^[a-zA-Z.$ äß]{1,8}$/);
  return fc
    .tuple(someId(), fc.dictionary(key, value, { maxKeys: 6 }))
    .map(([_id, rest]) => ({ _id, ...rest }));
}
