// Package appsuite speaks the HTTP API of OX App Suite as a logged-in user:
// folders with their permissions, contacts and distribution lists, users and
// groups, CSV import and export. It is what address books are written with; to
// provision contexts and accounts use package ox instead.
//
// # Client and session
//
// A [Client] stands for one OX server, a [Session] for one login, that is, for
// one account in one context. Use one client per server, because OX counts
// requests and failed logins per address and User-Agent, not per context, and
// the client keeps these counts:
//
//	c, err := appsuite.New("https://ox.example.net/ajax/", nil)
//	s, err := c.Login(ctx, appsuite.Credentials{Name: "books@ctx17", Password: pw})
//	defer s.Logout(context.WithoutCancel(ctx))
//
// OX binds a session to its cookies, to the User-Agent and to the client name
// sent at login. A session therefore has its own cookie jar, and both names are
// fixed for the life of the client. When OX has dropped a session (idle for an
// hour, a restart), the next call logs in again and goes on. When OX refuses a
// login, the same name and password are not tried again by this client, and
// after [Options.MaxFailedLogins] refusals no login is tried at all: OX locks
// out the whole address after 50 failures in five minutes, correct passwords
// included.
//
// # Permissions
//
// OX stores a folder permission as five numbers packed into one; they are levels
// and not flags, and odd values are stored as "nothing". This package knows only
// [Rights], built from named levels, and presets such as [ReadOnly]. Setting
// permissions replaces the whole list: whoever is left out loses access.
//
// # Writing
//
// Single writes have a method each. Many writes go through [Session.Write], which
// packs them into few requests and reports every item for itself, because OX goes
// on after an item that failed. Contacts are changed and deleted under optimistic
// locking: the caller sends the timestamp of what it has read, and a newer object
// is [ErrConflict].
//
// A write is never repeated after a lost answer. Such an error is [ErrUncertain]:
// look what is there, then decide. Reads are repeated a few times.
//
// # Rate limits
//
// OX allows 1500 requests in any five minutes and answers 429 beyond that. The
// client keeps below by itself (see [Rate]) and waits as long as the server asks
// if it is refused all the same.
//
// # Sources
//
// Behaviour follows the HTTP API of OX App Suite 8.19 as observed on a running
// server, and its public API documentation; where releases 7.8 to 7.10 differ,
// the doc comments say so.
package appsuite
