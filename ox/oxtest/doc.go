// Package oxtest is an OX App Suite in process: the SOAP services of the
// provisioning API and the HTTP API that users' clients speak, on one state. It
// is an ordinary package, meant for the tests of whoever writes programs
// against OX, as net/http/httptest is for HTTP.
//
// # Starting
//
// [Start] listens on a free loopback port, [New] returns an [http.Handler], and
// [Server.HTTPClient] reaches a server without any socket. A new server knows the
// master admin "oxadminmaster" with password "secret" and has no contexts; make
// them over SOAP, or past it with [State.AddContext] and [State.AddUser], which
// keep the same rules. A context's admin is "oxadmin" with password "secret"
// unless said otherwise.
//
// # What it does like the real server
//
// The simulator behaves as OX App Suite 8.19 with the configuration that it
// ships with, and is at least as strict:
//
//   - Requests are decoded against the WSDL: children in any order or without a
//     namespace pass, everything unknown is the fault that Apache CXF would send.
//   - Answers spell out each unset field as xsi:nil; a user costs some 12 KB.
//   - Faults carry their kind in the detail and an incident id in the text.
//   - Checks come in the server's order, so that a wrong login in user change is
//     "No such user", and a missing context is "Authentication failed".
//   - Absent and nil mean unchanged. Access flags that are left out are granted,
//     publication cannot be switched off by flags, and a group changed without
//     its members is empty.
//   - User writes of one context are serialised: who finds the lock taken waits
//     in whole seconds and fails after some twenty with "User update conflict".
//   - Only one copyUser may run in the whole installation. A copy has the user's
//     private data, no groups, and no permission on the global address book.
//
// Not simulated: resellers, deputies, the numeric filter of
// changeModuleAccessGlobal, and real placement on databases and file stores.
// File store and database moves happen at once.
//
// Some fault texts were not on record and are ours; their kinds are right as far
// as known.
//
// # What it does beyond
//
// Options set latencies, an older interface ([Version710]), and the switches of
// the server's configuration files, and how many users a context may have.
// [Server.Inject] makes chosen calls fail: faults, HTTP errors, connections dropped
// before or after the work, answers cut off or slow. [Server.Calls] lists what was
// called, when, and how many calls were under way; [State.Snapshot] and
// [State.Restore] go back to an earlier state, for crash tests. [State.SetUpdating]
// puts a schema into a schema update.
//
// # Where what is
//
// This package is the face. Below internal, state is what an installation holds and
// the rules by which it changes, soapapi and httpapi are the two servers on it, which
// do not know each other, and traffic is what their calls have in common.
package oxtest
