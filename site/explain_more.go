package site

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/internal/humansize"
	"github.com/ictmedia/schoolmail/site/district"
)

// mailbox tells what the mail server has of an account. It creates nothing. That the
// server cannot be asked is a line, too: whoever calls wants to know the rest.
func (s *Site) mailbox(ctx context.Context, a *schoolmail.Account) []string {
	m, ok := s.parts.Mailstore.(interface {
		Contents(context.Context, schoolmail.Account) ([]dovecot.MailboxStatus, []dovecot.Quota, error)
	})
	if !ok || a == nil {
		return nil
	}
	folders, quota, err := m.Contents(ctx, *a)
	switch {
	case errors.Is(err, schoolmail.ErrNotFound):
		return []string{"the mail server does not know the account"}
	case err != nil:
		return []string{"the mail server cannot say: " + err.Error()}
	case len(folders) == 0:
		return []string{"nothing in it yet"}
	}
	var lines []string
	for _, f := range folders {
		lines = append(lines, fmt.Sprintf("%s: %d messages, %d unread, %s", f.Mailbox, f.Messages, f.Unseen,
			humansize.Bytes(f.Size)))
	}
	for _, q := range quota {
		if q.StorageLimit > 0 {
			lines = append(lines, fmt.Sprintf("quota: %s of %s used", humansize.Bytes(q.StorageUsed),
				humansize.Bytes(q.StorageLimit)))
		}
	}
	return lines
}

// BookRules are the rules of a district's address books. A district file without them
// is an error.
func BookRules(file string) (addressbook.Rules, error) {
	c, err := district.Load(file, &district.Options{Program: district.Addressbooks})
	if err != nil {
		return addressbook.Rules{}, err
	}
	rules := addressbook.DefaultRules()
	if name := c.Addressbooks.Rules; name != "" {
		rules = addressbook.Rules{}
		if err := district.Decode(name, &rules); err != nil {
			return rules, err
		}
	}
	rules.Salt = c.Addressbooks.Salt
	for _, x := range c.Excludes {
		rules.Exclude = append(rules.Exclude, addressbook.Exclusion{ID: x.ID, Username: x.Username})
	}
	return rules, rules.Validate()
}

// booksOf tells in which address books an account stands and which it may read, by
// [Site.Books] and the directory of today.
func (s *Site) booksOf(w *World, a *schoolmail.Account) []string {
	if s.Books == nil || a == nil {
		return nil
	}
	want, err := addressbook.Build(*s.Books, w.State.Accounts)
	if err != nil {
		return []string{err.Error()}
	}
	var lines []string
	for _, c := range want.Contexts {
		for _, b := range c.Books {
			listed := slices.ContainsFunc(b.Entries, func(e addressbook.Entry) bool {
				return !e.IsList() && a.Mail != "" && strings.EqualFold(e.Mail, a.Mail)
			})
			reads := slices.ContainsFunc(b.Readers, func(r addressbook.Audience) bool {
				return slices.Contains(r.Users, a.Username)
			})
			if !listed && !(reads && c.Context == a.Context) {
				continue
			}
			var how []string
			if listed {
				how = append(how, "listed")
			}
			if reads && c.Context == a.Context {
				how = append(how, "may read it")
			}
			lines = append(lines, fmt.Sprintf("context %d: %s: %s", c.Context, strings.Join(b.Path, " / "),
				strings.Join(how, ", ")))
		}
	}
	return lines
}
