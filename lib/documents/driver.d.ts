/* A part of the driver that it uses itself for writing in bulk, and has no types for. */
declare module "mongodb/lib/cmap/commands.js" {
  /** Documents of a command as bytes, behind it in the message (OP_MSG's section of kind 1). */
  export class DocumentSequence {
    constructor(field: string);
    /** The document itself serves for the driver's log alone. */
    push(document: object, bytes: Uint8Array): number;
  }
}
