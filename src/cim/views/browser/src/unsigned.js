// Stands in for tweetnacl: the page's token is a bearer token, which the server takes without a signature.
export default {};
