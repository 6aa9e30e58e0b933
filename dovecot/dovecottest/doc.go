// Package dovecottest is a Dovecot in the process: the doveadm HTTP API and an
// IMAP server over the same mailboxes, in memory, for tests of programs that
// use either.
//
//	srv := dovecottest.NewServer()
//	defer srv.Close()
//	srv.SetUsers(dovecottest.User{Name: "a.muster@school.test", Password: "secret"})
//	c, err := dovecot.New(srv.URL, &dovecot.Options{APIKey: schoolmail.Secret(srv.APIKey)})
package dovecottest
