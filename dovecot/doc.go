// Package dovecot talks to the doveadm HTTP API of Dovecot 2.3 and 2.4:
// mailboxes, quota, sessions, ACLs, dsync, and what accounts need over their
// life: mail that is there when the account is, that follows a change of
// login, and that goes with it.
//
//	c, err := dovecot.New("https://mail.school.example:8443", &dovecot.Options{APIKey: key})
//	...
//	state, err := c.Ensure(ctx, "m.muster@school.example", dovecot.Desired{
//		Mailboxes:  []string{"Sent", "Drafts", "Trash", "Junk"},
//		QuotaBytes: 2 << 30,
//	})
//
// Mail itself does not travel this way, see "What it is not for" below; the
// package dovecot/migrate moves mailboxes over IMAP. For tests there is
// dovecot/dovecottest, a simulator of this API with an IMAP server on the same
// mailboxes.
//
// # Switching the API on
//
// On every host, in Dovecot 2.3:
//
//	service doveadm {
//	  inet_listener http {   # the name must be "http"; it decides the protocol
//	    port = 8443
//	    ssl = yes
//	  }
//	}
//	doveadm_api_key = KEY    # goes to Options.APIKey
//
// Whoever has the key is root over all mail and, through the fs commands, over
// files: keep the port behind a firewall, and consider
// doveadm_allowed_commands. This package uses, in the words of that setting:
// user, auth cache flush, mailbox list, mailbox status, mailbox create,
// mailbox rename, mailbox delete, mailbox subscribe, mailbox unsubscribe,
// mailbox path, quota get, quota recalc, who, kick, search, fetch, expunge,
// flags add, flags remove, save, copy, move, acl get, acl set, acl add,
// acl remove, acl delete, acl rights, backup, sync, index, force-resync,
// fs stat, fs delete, dict set, sieve list, sieve get, sieve put, sieve activate,
// sieve deactivate, sieve delete, reload, log errors, director status, director move; each
// only where the method of that name is called.
//
// # Life of an account
//
//   - Created in the directory: [Client.Ensure] flushes what the server
//     remembers of the name, makes INBOX and the folders asked for, subscribes
//     them, and sees to the quota, see "Quota" below.
//   - Looked at: [Client.Inspect], and [State.Missing] to plan.
//   - Locked: in the directory; then [Client.FlushAuthCache] and
//     [Client.Kick], or open sessions and cached passwords go on working.
//   - Closed, with an answer to senders or a forwarding for a while:
//     [Mailstore.CloseMailbox], and [Mailstore.OpenMailbox] when the person returns. It
//     takes Pigeonhole, a server that still delivers to the mailbox, and one that can send
//     (submission_host or sendmail_path).
//   - Login changed: [Client.Inspect] before, [Client.MoveMail] after the
//     directory has the new login, [Client.DeleteHome] once all is well.
//   - Purged: [Client.RemoveMail] while the directory still has the user, or
//     [Client.DeleteHome]. doveadm has no command that removes a user.
//
// # Quota
//
// doveadm has no command to set a limit; a limit is a field of the userdb.
// There are two kinds of sites:
//
//   - The userdb is LDAP (UCS), with quota_rule from an attribute of the person:
//     whoever writes the directory sets the quota. [Client.Ensure] flushes the
//     caches and compares; [ErrQuotaDiffers] is temporary, since the directory
//     may be on its way.
//   - The userdb reads limits from a dict, for itself or after LDAP: name the
//     dict in Options.QuotaDict, and [Client.SetQuota] and Ensure write there.
//     The key is priv/quota/limit/storage, in KiB, as with the quota plugin's
//     own quota_set. Users without an entry keep the limit that they have.
//
// A dict of files, in dovecot.conf of 2.3 after the userdb that there is, to
// which "result_success = continue-ok" and "result_failure = return-fail" are
// added:
//
//	dict {
//	  quota = fs:posix:prefix=/var/lib/dovecot/quota/
//	}
//	service dict {
//	  unix_listener dict {
//	    mode = 0660
//	    group = dovecot
//	  }
//	}
//	userdb {
//	  driver = dict
//	  args = /etc/dovecot/quota-dict.conf
//	}
//
// and quota-dict.conf:
//
//	uri = proxy::quota
//	iterate_disable = yes
//	key limit {
//	  key = %u/quota/limit/storage
//	}
//	userdb_fields {
//	  quota_rule = *:storage=%{dict:limit}
//	}
//
// Options.QuotaDict is then "proxy::quota". With SQL the dict maps
// priv/quota/limit/storage to a column, and the userdb reads that column.
//
// Dovecot 2.4 has no userdb of dicts, a limit is the field quota_storage_size, and doveadm names
// a dict by the block of the configuration that it is in. SQL serves (here SQLite with a table
// quota of username and storage; Debian package dovecot-sqlite), after the userdb that there is
// with the same two results:
//
//	sqlite_path = /var/lib/dovecot/quota/limits
//	dict_server {
//	  dict quota {
//	    driver = sql
//	    sql_driver = sqlite
//	    dict_map priv/quota/limit/storage {
//	      sql_table = quota
//	      username_field = username
//	      value_field storage {
//	      }
//	    }
//	  }
//	}
//	quota_clone {
//	  dict proxy {
//	    name = quota
//	  }
//	}
//	userdb limits {
//	  driver = sql
//	  sql_driver = sqlite
//	  use_cache = no
//	  userdb_sql_query = SELECT storage || 'K' AS quota_storage_size FROM quota WHERE username = '%{user}'
//	  userdb_sql_iterate_query = SELECT username AS user FROM quota WHERE 0
//	}
//
// Options.QuotaDict is then "quota_clone", a block that is free where the plugin of that name is
// not loaded; the dict service needs its socket as above, and the database must be writable for
// it. use_cache = no, as 2.4.1 forgets nothing when asked over HTTP. A
// limit is in force for sessions that begin after it was set. IMAP's own
// command for limits is no way: it does not work in 2.3.19.1.
//
// # Errors
//
// Every error of a call is an [*Error] with the command, the user, the exit
// code and a [Kind], which errors.Is compares:
//
//	if errors.Is(err, dovecot.ErrNoUser) { ... }
//
// Dovecot sends exit codes and never a text; the text is in its log, which
// [Client.LogErrors] reads. [Error.Temporary] says whether to try again. The
// kind [ErrUnknownOutcome] deserves a thought: Dovecot ends the connection
// without a word whenever a command dies of a fatal error, and nothing tells
// that from a cable that was cut after the work was done. This package never
// repeats a command by itself.
//
// # Traps that are closed here
//
//   - A user name with * or ? is a mask to the server and would run a command
//     for everybody who matches: refused before it is sent.
//   - Deleting INBOX fails and nevertheless removes its messages: refused.
//   - Not everything that the server cannot read is answered with an error:
//     some of it ends the server process, and with it other answers. What can
//     be checked is checked before it is sent, by the server's own list for
//     [Client.Do] and [Client.Batch].
//   - 2.3 takes an option that is present for true, whatever its value, so that
//     "recursive": false deletes recursively: false is not sent.
//   - OR in a query stands between terms and swallows all others on its level,
//     the mailbox included: [Client.Expunge] puts the query in parentheses.
//   - An unknown command within a batch makes the answer of 2.3 invalid JSON:
//     batches are verified first.
//   - mailboxList echoes a mask without wildcard whether it exists or not:
//     refused; [Client.MailboxExists] asks for the status.
//   - The exit code next to an error other than "exitCode" is left over from
//     the command before: ignored.
//   - A recursive delete of a parent without mail of its own deletes the
//     children and answers "not found": settled by a look.
//   - dsync from a place that does not exist creates it, empty, and backup
//     then deletes everything at the other end: [Client.MoveMail] looks first
//     and copies one way.
//   - The summary that who gives of several users is malformed in 2.3.19:
//     read anyway, and not asked for.
//   - fsDelete deletes any path as root: only below Options.MailRoot.
//   - kick takes a name that reads as an address for one, and ends everybody's
//     connections from there: refused.
//   - A Sieve script without text, or with "/" in its name, ends the server's process:
//     refused.
//   - dictSet asks no userdb, and a dict of files makes a path of the user's
//     name: [Client.SetQuota] looks the user up and refuses "/".
//   - A wrong key is met with silence when the request asks to close the
//     connection: it does not.
//
// # Clusters
//
// Two servers must never open one user's mail at the same time. So commands
// about mail go to one URL, a proxy or director, which passes them to the
// user's backend (doveadm_port must be set there, or it works on its own
// files). Sessions, caches and files are each host's own: name all hosts in
// Options.Hosts and the calls that concern them go to every one. A director
// answers [Client.User] from its own userdb; its homes must be the backends' for
// [Client.DeleteHome] and [Client.MoveMail] to find them. When the backend is
// down the connection ends without an answer: [ErrUnknownOutcome].
//
// # Speed
//
// Each request is a connection and a process on the server: 10 to 20 ms, and
// no keep-alive. Options.Concurrency of them run at a time per host. Reading
// many things at once is faster with [Client.Batch].
//
// # What it is not for
//
//   - Carrying messages: text only, without flags or dates. Use IMAP.
//   - Checking passwords: the API does not offer it. Use IMAP.
//   - Creating users: they are in the directory.
//
// Sources: Dovecot 2.3.19.1 and 2.4.4 as they behave, their source text, and
// the documentation of the doveadm HTTP API.
package dovecot
