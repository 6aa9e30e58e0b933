package ucs

import (
	"strings"

	"github.com/ictmedia/schoolmail"
)

// keeper detaches accounts from the answers that they were read from: an answer
// is four times as large as what is kept of it.
type keeper struct {
	common map[string]string // what many have in common
	buf    []byte
	at     []*string
}

// account copies what is its own into one string, and shares the rest.
func (k *keeper) account(a *schoolmail.Account) {
	k.buf, k.at = k.buf[:0], k.at[:0]
	for _, s := range []*string{&a.DN, &a.Username, &a.GivenName, &a.FamilyName, &a.DisplayName, &a.Mail, &a.Phone,
		&a.NoticeMail, &a.Key.ID, &a.Traits.Birth, &a.Traits.Number} {
		k.own(s)
	}
	for i := range a.Aliases {
		k.own(&a.Aliases[i])
	}
	all := string(k.buf)
	for _, s := range k.at {
		*s, all = all[:len(*s)], all[len(*s):]
	}
	a.Key.Source, a.Language, a.Access = k.share(a.Key.Source), k.share(a.Language), k.share(a.Access)
	a.State = schoolmail.LifeCycle(k.share(string(a.State)))
	for i := range a.Memberships {
		m := &a.Memberships[i]
		m.School = schoolmail.SchoolID(k.share(string(m.School)))
	}
	for i := range a.Marks {
		m := &a.Marks[i]
		m.Guard = k.share(m.Guard)
		m.Role = schoolmail.Role(k.share(string(m.Role)))
		m.School = schoolmail.SchoolID(k.share(string(m.School)))
	}
}

func (k *keeper) own(s *string) {
	if *s != "" {
		k.buf = append(k.buf, *s...)
		k.at = append(k.at, s)
	}
}

func (k *keeper) share(s string) string {
	if s == "" {
		return ""
	}
	if have, ok := k.common[s]; ok {
		return have
	}
	s = strings.Clone(s)
	k.common[s] = s
	return s
}
