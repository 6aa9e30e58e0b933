// Package ucstest is an LDAP directory in process that behaves like the
// OpenLDAP server of a UCS@school domain, for tests and for trying things out.
//
//	s, err := ucstest.Start()
//	defer s.Close()
//	s.SeedSchools("gsmitte", "sek-nord")
//	c, err := ucs.New(s.URL, &ucs.Options{BindDN: s.BindDN, Password: s.Password, Plaintext: true})
//
// It speaks LDAP v3 (RFC 4511) on loopback: simple bind, search with all
// scopes and filters, paged results (RFC 2696), add, modify, delete, modify DN,
// compare, the assertion control (RFC 4528), pre-read and post-read (RFC 4527), "who
// am I", StartTLS and ldaps
// with a certificate made at the start ([Server.CertPool]). An unknown critical
// control is refused. It needs no files and no other program.
//
// It is at least as strict as slapd with the schemas of UCS, UCS@school and
// Open-Xchange: object classes with required and allowed attributes, single
// values, syntaxes, values given twice, naming attributes, naming contexts.
// Matching follows the schema: a user name matches in any case, memberUid only
// exactly, oxContextIDNum is text. Like on UCS, memberOf is computed from
// uniqueMember, deleting or renaming an entry corrects uniqueMember but not
// memberUid (at once, where slapd takes a moment), putting somebody into a
// group changes the group only, univentionObjectIdentifier is unique and
// nothing else is, password hashes show to the administrator only, anonymous
// searches are refused, and shadowExpire ends simple binds.
//
// Only the administrator writes; everybody who has bound may read. There is no
// replication, no sync control (RFC 4533; UCS does not offer it either), no
// server side sorting, no SASL and no persistence: [Server.LDIF] and
// [Server.LoadLDIF] take a tree out and in.
//
// Tests look at [Server.Calls] and [Server.Counts] to see what was asked, at
// [Server.Attributes] to see what became of it, and let requests go wrong with
// [Server.Inject]: result codes, delays, connections that end before or after
// the work is done.
//
// [StartUDM] puts a simulator of Univention's REST API in front of it, or of any
// other LDAP server.
//
// An account with its memberships takes about 8 kB of memory. Searches use an
// index for user names, record ids, addresses, members and object classes; any
// other filter looks at every entry, as on UCS.
package ucstest
