import { Code, type ConnectError } from '@connectrpc/connect'
import type { AccessError, AccessErrorCode } from '../access/access-error.ts'
import { type ErrorReason, ferryError } from './errors.ts'

const codes: Record<AccessErrorCode, Code> = {
  UNAUTHENTICATED: Code.Unauthenticated,
  PERMISSION_DENIED: Code.PermissionDenied,
  STATE_UNAVAILABLE: Code.Unavailable,
  INVALID_REQUEST: Code.InvalidArgument,
  TOKEN_NOT_FOUND: Code.NotFound,
  TOKEN_EXISTS: Code.AlreadyExists,
  ACCESS_OPEN: Code.FailedPrecondition,
  CONCURRENT_CHANGE: Code.Aborted,
  LIMIT_EXCEEDED: Code.ResourceExhausted,
}

export const toAccessAnswer = ({ code, message, violations }: AccessError): ConnectError =>
  ferryError(codes[code], code satisfies ErrorReason, message, {}, violations)
