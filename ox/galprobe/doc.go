// Package galprobe proves that the global address book of an OX context is
// closed, instead of assuming it. It logs in as ordinary accounts (a pupil, a
// teacher), tries every way that is known to read other people, and tries the
// same with a control account that does see the book: only then does an empty
// answer mean something.
//
//	evidence, err := galprobe.Run(ctx, client, server, []galprobe.Target{{
//		Name:     "primary schools",
//		Control:  appsuite.Credentials{Name: "oxadmin@21", Password: pw},
//		Accounts: []galprobe.Account{{Role: "pupil", Credentials: pupil}},
//	}}, nil)
//	evidence.WriteText(os.Stdout)
//	fmt.Println(evidence.Verdict())
//
// # What it looks at
//
// Capabilities, the folder tree, folder 6 in all its forms (all, get, list,
// updates, search, advanced search, autocomplete), exports as CSV and vCard, the
// user and group lists, the search and profile modules, portraits, CardDAV, and
// the same calls packed into "multiple". [Paths] lists them. With [Target.Book]
// it also checks that an address book made for these people can be read and not
// written.
//
// # Verdicts
//
// Each path of each account is [Closed], [Limited] to names, [Open], [NotOffered]
// (the server does not know the call), [Unproved] (nothing came, but nor did it for
// the control account) or [Failed] (it could not be asked).
//
// Some paths cannot be closed by OX at all: with folder 6 closed, OX App Suite
// 8.19 still gives everybody the list of all users of the context with their
// names and primary addresses, and the groups with their members' numbers. Such
// findings are Limited, marked as beyond OX and counted apart. If they show more
// than that, they are Open. What can be done about them is in [Remedies]; rules
// for the proxy in front of OX write [WriteNginx] and [WriteHAProxy]. To prove
// such rules, probe through the proxy and let the control account come past it
// ([Options.ControlClient]).
//
// # Evidence
//
// [Evidence] holds time, server version, call, status, code and number of rows
// of everything that was asked. It holds no names and no addresses, only counts,
// numbers of users, and the names of the fields that were filled.
//
// # When not to use it
//
// It needs the password of an ordinary account in each context; use accounts
// made for the purpose, set up like everybody else. It says nothing about people
// in other contexts (OX answers nobody across contexts unless told to), nothing
// about Drive, mail or the calendar, and nothing about releases whose paths it
// does not know.
//
// Sources: the HTTP API of OX App Suite 8.19 as observed on a running server.
// The request forms of the modules find and halo and of portraits are not
// confirmed there; where the control account gets nothing on them, they count
// as unconfirmed and not as a failure.
package galprobe
