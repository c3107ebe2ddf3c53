/** How a protobuf message is printed as JSON: protobuf-es' options by the same names. */
export interface JsonOptions {
  /** Also print fields without presence that have their zero, and empty lists and maps. */
  readonly alwaysEmitImplicit: boolean
  readonly enumAsInteger: boolean
  /** Names as in the .proto file, not in lowerCamelCase. */
  readonly useProtoFieldName: boolean
}

export const canonicalJson: JsonOptions = { alwaysEmitImplicit: false, enumAsInteger: false, useProtoFieldName: false }
