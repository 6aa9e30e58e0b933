// Package ox provisions Open-Xchange (OX App Suite): it makes and removes
// contexts, users, groups, resources and functional mailboxes, decides who may use
// what, and moves users between contexts. It speaks the SOAP API of the
// middleware (verified with 8.19 and 8.20; 7.10 works as far as it has the operations), and
// nobody who uses the package sees SOAP.
//
// It is not for the data inside: folders, contacts and calendars are reached by
// the HTTP API as a logged-in user, with package ox/appsuite. Package ox/oxtest
// is an OX in process to test against.
//
// # The world of OX
//
// An installation consists of one or several middleware nodes over common
// databases and file stores. Its people live in contexts. A context is a closed
// world of its own: users of one context see each other in the global address
// book, in groups and in the scheduling of appointments, and nobody in any other
// context. Everything that is unique (login names, display names, mail addresses,
// ids) is unique within one context only.
//
// Three kinds of accounts matter:
//
//   - The master administrator (oxadminmaster) makes contexts, and copies users
//     between them. He is no user and cannot log in to the web interface. [New]
//     takes his credentials.
//   - Each context has an administrator, who is made with it and is its user 2.
//     Only he makes users and groups in it. [Client.Context] takes his credentials
//     and returns a [ContextClient]. He is not an ordinary user: he cannot be
//     deleted, and some checks do not hold for him.
//   - Everybody else is a user. A user may change himself, with his own
//     credentials; this package has little use for that.
//
// A user has a number, which is never given again and is shared with the numbers
// of groups and resources of his context, and a login name, in which upper and
// lower case differ: "anna" and "Anna" are two users. Group names, display names
// and addresses are less particular. Keep login names in one case.
//
// # Reading
//
// Lists are iterators that yield values as they arrive, and one error at the end
// if something went wrong:
//
//	for u, err := range cc.Users.All(ctx, nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(u.ID, u.Name, u.PrimaryEmail)
//	}
//
// OX has no cheap way to list users. Reading a context costs it about 5 ms and 23
// KB of XML per user, nearly all of it elements that say nothing; this package
// decodes that as a stream, skips what says nothing, and fetches the next chunk
// while the caller works on one. There is no operation that tells what has
// changed since a moment.
//
// # Writing
//
// [UserChange] says for each field whether it stays, is cleared or is set: nil,
// new(""), new("value"). OX can clear texts only. What it would refuse or, worse,
// silently ignore, is refused before anything is sent. A change that changes nothing
// costs the server as much as a real one: read first and use [UserChange.Minus].
//
// Mail addresses change together. The primary address, Email1 and the default
// sender must all be among the aliases, and a request that does not say so for all
// of them at once is refused; [UserChange.SetAddresses] does it right.
//
// What may be used is an [Access], a set of flags, or the name of a combination
// such as "groupware_standard". Prefer names: they are the only way to clear the
// flag publication, and sites can redefine them. Access is given on creation with
// one request, or afterwards with one more.
//
// Groups are changed by adding and removing members ([Groups.AddMembers],
// [Groups.RemoveMembers]). OX's own change of a group replaces all members,
// and removes them if none are sent; [Groups.Change] therefore reads them first.
//
// Deleting a user gives what he shared to the context's administrator; see
// [Reassign] for the alternatives. Deleting what is gone is success.
//
// # Copying users between contexts
//
// [Client.CopyUser] copies a user with settings, private folders, contacts,
// calendar, tasks, files and mail accounts. The copy does not yet have his groups,
// not even the default one, nor the right to see the global address book; and OX
// does not check whether the target has another user with his address or display
// name, so this package does. The source stays until it is deleted. OX offers no
// way to lock its user meanwhile: have him locked out where he logs in.
// [Groupware.CopyUser] does all that is needed afterwards, and
// [Groupware.VerifyCopy] compares what can be compared.
//
// The server's own book-keeping of copies is made for one at a time. A Client therefore
// makes one at a time in the whole installation, and after a lost answer it waits until
// the copy has arrived or has not for a long time, before it makes another. See to it
// that no other program copies; [Options].CopyLock is the place for a lock that programs
// share. [Groupware.CanCopy] asks whether the servers have the service at all: it is an
// extra package, and deprecated by its maker since 7.10.5.
//
// A copy is proved, not believed: with a [ContentReader] among the options
// [Groupware.VerifyCopy] also compares what the user owns, and says what the copy does
// not carry. [Groupware.CloseCopy] keeps people out of the old copy while it is kept.
//
// # The scheduler
//
// OX puts user writes (create, change, delete, access) of one context in a queue
// by a lock that it polls in whole seconds: a second writer makes a context
// slower, and many make it fail. Call from as many goroutines as you like; a
// Client sends one user write per context at a time, first come, first served,
// all contexts side by side, reads and group calls beside them. That is why there
// should be one Client per installation.
//
// Requests to one server are limited to a number that grows while the server
// answers well and halves when answers fail or slow down. With several
// endpoints, a context stays with one server as long as that is in service. One
// that cannot be reached, does not answer in time, answers something else or is
// just starting is left alone for a while, and requests go to the next one, provided
// the first has not received them or repeating them does no harm.
//
// These are waited for, within the limits in [Options]: another writer's lock, a
// database schema that is being updated (which holds back all contexts of that
// schema), a server that is down or starting (a restart of OX takes one to two minutes).
// Whoever waits longer than five seconds is told of to the [Observer], once for all who
// wait for the same. An answer that got lost is settled: reads and
// changes are repeated, after a create or a copy the package looks what is there.
// Every wait ends with its context.Context.
//
// # Errors
//
// Every method returns an [*Error], which knows the operation, context and
// subject, OX's own message, and the id under which the server's log has the
// incident. Its [Kind] is what programs ask for:
//
//	switch {
//	case errors.Is(err, ox.ErrNoSuchUser):
//	case errors.Is(err, ox.ErrDisplayNameUsed):
//	}
//
// [Error.Temporary] tells whether trying later makes sense, [Error.NotDone]
// whether the work was certainly not done. A trap that this package avoids: asked
// with a login that does not exist, OX answers some calls with "No such user", as
// if the target were gone; that is [ErrCredentials] here. No password and no
// answer body ever gets into an error.
//
// # Together with the planner
//
// [Groupware] implements the port that schoolmail.Apply needs and observes
// contexts and users for the planner.
//
// Sources: OX App Suite 8.19 middleware (SOAP service classes and their
// behaviour on a running server), its property files AdminUser, ModuleAccessDefinitions
// and hosting, and the public documentation of the user copy tool.
package ox
