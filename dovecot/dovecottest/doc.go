// Package dovecottest is a Dovecot in the process: the doveadm HTTP API and an
// IMAP server over the same mailboxes, in memory, for tests of programs that
// use either. It is to doveadm and IMAP what net/http/httptest is to HTTP.
//
//	srv, err := dovecottest.Start()
//	defer srv.Close()
//	srv.SetUsers(dovecottest.User{Name: "a.muster@school.test", Password: "secret"})
//	c, err := dovecot.New(srv.URL, &dovecot.Options{APIKey: schoolmail.Secret(srv.APIKey)})
//	conn, err := net.Dial("tcp", srv.IMAPAddr)
//
// Users take no room until somebody looks at their mail: 32,000 of them are a
// matter of milliseconds.
//
// # As strict as the real one
//
// What it answers was recorded from Dovecot 2.3.19.1 (Debian 12): the files
// testdata/doveadm.txt and testdata/imap.txt hold some 440 exchanges, and this
// package's tests replay them against the simulator and, where it is
// installed, against the real server. That includes the unpleasant parts:
//
//   - a connection that ends without an answer, for null, a missing user or
//     parameter, an unknown search key, field or right;
//   - an option that counts as set because it is there, "recursive": false;
//   - the missing comma after an unknown command in a batch, stale exit codes,
//     commands carried out before the JSON turns out to be broken, who's rows
//     beside their array;
//   - silence for a wrong key in a request with "Connection: close";
//   - * and ? in a user name running a command for everybody;
//   - deleting INBOX, which empties it and fails;
//   - an APPEND with flags or a date that are refused, and a literal sent
//     along unasked: the message is read as IMAP commands.
//
// The commands simulated are user, authCacheFlush, who, kick, mailboxList,
// mailboxStatus, mailboxCreate, mailboxDelete, mailboxRename,
// mailboxSubscribe, mailboxUnsubscribe, mailboxPath, mailboxUpdate,
// mailboxMetadataGet (special use only), quotaGet, quotaRecalc, search, fetch,
// save, copy, move, expunge, flagsAdd, flagsRemove, flagsReplace, aclGet,
// aclSet, aclAdd, aclRemove, aclDelete, aclRights, backup and sync (between
// homes of the same server), index, forceResync, purge, reload, logErrors,
// mailboxMutf7, fsStat, fsDelete, fsIterDirs, dictSet, dictGet, dictUnset (see [WithQuotaDict]),
// directorStatus and directorMove, and with [WithSieve] sieveList, sieveGet, sievePut, sieveDelete,
// sieveActivate and sieveDeactivate. All others of the 104 that Dovecot lists without Pigeonhole are known by
// name and parameters and answer exit code 75.
//
// IMAP is IMAP4rev1 with LITERAL+, SASL-IR, MULTIAPPEND, UIDPLUS, MOVE,
// CONDSTORE, QRESYNC, LIST-EXTENDED, LIST-STATUS, SPECIAL-USE, ESEARCH,
// STATUS=SIZE, NAMESPACE, QUOTA (reading), ENABLE, IDLE, ID and WITHIN, on a
// clear connection, with PLAIN, LOGIN and a master user. Not simulated: the
// structure of messages (BODYSTRUCTURE, MIME parts), SORT, THREAD, NOTIFY,
// METADATA, the ACL commands, COMPRESS, TLS. The server lives in UTC.
//
// Known to differ: a mailboxRename that makes no sense is refused; modification sequences grow by one where the
// real server sometimes takes two; ACLs are kept and not enforced, so that
// nothing is shared between users; a director moves a user at once, and again at
// once, where the real one takes seconds and answers exit code 75 meanwhile.
//
// # Making it fail
//
// [Server.Inject] lets doveadm commands fail: with an exit code, an HTTP
// status, a delay, a connection that ends before or after the work is done.
// [Server.InjectIMAP] does so for IMAP: a NO, a delay, a connection cut
// before, in the middle of a message, or after the work is done.
// [Server.Calls] and [Server.IMAPCommands] tell what was asked,
// [Server.Fingerprint] compares states.
package dovecottest
