// Package udm is a client of the REST API of Univention Directory Manager (UDM),
// which writes accounts of a UCS domain with all that UDM does beside: numbers,
// hashes, password policies, locks, and the hooks of UCS@school and the OX
// packages.
//
//	c, err := udm.New("https://primary.schulen.example/univention/udm/", "Administrator", password, nil)
//	ref, err := c.Create(ctx, udm.Users, udm.Object{Position: container, Options: options, Properties: udm.Properties{
//		"username": "ida.abel", "lastname": "Abel", "password": "Xy7-ooP2",
//	}})
//
// An [Object] holds properties by the names that UDM gives them, whose JSON types
// the package knows for what schools need ([User], [Group], [OXContext],
// [AccessProfile] convert); others, such as extended attributes of a site, go
// through [Properties].
//
// # What to know before writing
//
// UDM checks less than one would think: a record id that somebody has, an alias
// that is somebody's address, an unknown school, context or access profile are
// accepted without a word. Package ucs looks for these by LDAP before it writes.
// Reading belongs to LDAP altogether: listing 30,000 users takes UDM minutes, and
// there is no way to page ("limit" forgets and repeats). A create takes UDM a
// fifth of a second of computing or more; changes of hundreds of accounts are
// hours.
//
// Create answers with 201 when the account is made. If the answer is lost, look
// by LDAP before anything is repeated ([ErrUnavailable] with [Error.Sent]). A
// create that was refused because a value was taken leaves a lock on the value
// for five minutes, and as long UDM answers as if it were taken: [ErrTaken] is no
// proof until it has been asked again after [LockTime].
//
// Errors are told apart by the HTTP status and the location that UDM names, never
// by its texts, which are translated.
//
// Facts: UDM REST of UCS 5.2, observed on running software.
package udm
