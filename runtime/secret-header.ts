const secretName = /^(authorization|proxy-authorization|cookie)$|(^|[-_])(api-?key|apikey|token|secret|password|signature)$/

/** Whether a header of this name, in lower case, carries a credential, as far as its name says so. */
export const isSecretHeader = (name: string): boolean => secretName.test(name)
