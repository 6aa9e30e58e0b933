package dovecot

import (
	"context"
	"path"
	"strings"

	"github.com/ictmedia/schoolmail"
)

var _ schoolmail.MailboxMover = (*Mailstore)(nil)

// MoveMailbox brings the mail of somebody who was renamed under the new login, where the
// home follows from the login: after [Client.MoveMail], in which the userdb need not know
// the old login any more. The old home is that of the new login with the old names in
// place of the new ones, in whole parts of the path and in such that begin them (%1n).
// Where the home says something else, such as a number, there is nothing to move; nor is
// there where the old home is gone, for instance because the server has moved it itself.
// The old home stays as it was: mail is copied out of it, and nothing is deleted.
func (m *Mailstore) MoveMailbox(ctx context.Context, before, after schoolmail.Account) error {
	from, to := m.login(before), m.login(after)
	if from == to || from == "" {
		return nil
	}
	if err := m.c.forget(ctx, from, to); err != nil {
		return err
	}
	target, err := m.c.User(ctx, to)
	if err != nil {
		return err
	}
	old := User{Name: from, Home: renamedPath(target.Home, to, from), Mail: renamedPath(target.Mail, to, from)}
	if old.Home == target.Home && old.MailLocation() == target.MailLocation() {
		return nil
	}
	_, err = m.c.MoveMail(ctx, State{User: old}, to)
	if isKind(err, ErrNotFound) { // there is no such home, or not any more
		return nil
	}
	return err
}

// renamedPath puts one login in place of another in a path.
func renamedPath(p, from, to string) string {
	fromName, fromDomain, _ := strings.Cut(from, "@")
	toName, toDomain, _ := strings.Cut(to, "@")
	parts := strings.Split(p, "/")
	at := -1 // where the name is
	for i, part := range parts {
		switch {
		case part == "":
		case part == from:
			parts[i], at = to, i
		case part == fromName:
			parts[i], at = toName, i
		case part == fromDomain:
			parts[i] = toDomain
		}
	}
	for i := 1; i < at; i++ { // directories that spread homes by the first letters
		if n := len(parts[i]); n > 0 && n <= 2 && strings.HasPrefix(fromName, parts[i]) && n <= len(toName) {
			parts[i] = toName[:n]
		}
	}
	if path.IsAbs(p) {
		return path.Clean(strings.Join(parts, "/"))
	}
	return strings.Join(parts, "/")
}
