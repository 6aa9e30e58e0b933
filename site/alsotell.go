package site

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/notify"
)

// AlsoTell says who is told together with a pupil, before the mailbox closes, before
// it does so as a reminder, and when that is called off.
type AlsoTell struct {
	// Whom are parents: the private address that the export delivers is theirs, and
	// what goes there is said to them; class-teacher: who teaches the class, and is
	// told of the closing alone; guardians: the legal guardians of the directory.
	Whom []schoolmail.Relation
	// The pupils: of all of these that are not empty.
	Populations []string
	Levels      []schoolmail.SchoolLevel
	Schools     []schoolmail.SchoolID
}

// A guardianship is a directory that knows the legal guardians of pupils.
type guardianship interface {
	Guardians(ctx context.Context, username string) ([]schoolmail.Recipient, error)
}

// alsoTelling is a notifier that tells others besides the person, those first: a
// notice counts once everybody has it.
type alsoTelling struct {
	schoolmail.Notifier
	site  *Site
	world *World
	note  func(string)
}

func (n alsoTelling) Notify(ctx context.Context, notice schoolmail.Notice) error {
	others, own, err := n.site.AlsoTold(ctx, n.world, &notice.Account, notice.Kind)
	if err != nil {
		return err
	}
	for _, r := range others {
		to := notice
		to.To = r
		sum := sha256.Sum256([]byte(strings.ToLower(r.Mail)))
		to.ID += "-" + hex.EncodeToString(sum[:4])
		err := n.Notifier.Notify(ctx, to)
		// An address that is no more must not keep the others from being told.
		if e, ok := errors.AsType[*textproto.Error](err); ok && e.Code >= 500 {
			n.note(fmt.Sprintf("%s: the relay takes no mail to the address of one of the %s: answer %d",
				notice.Account.Key, r.Relation, e.Code))
			continue
		}
		if err != nil {
			return err
		}
	}
	if !own {
		notice.Account.NoticeMail = ""
	}
	return n.Notifier.Notify(ctx, notice)
}

// AlsoTold returns who besides a pupil gets a notice of a kind, and whether the
// pupil's private address is the pupil's own. What is known of classes is what was
// read before the run.
func (s *Site) AlsoTold(ctx context.Context, w *World, a *schoolmail.Account, kind schoolmail.NoticeKind) (
	others []schoolmail.Recipient, own bool, err error) {
	own = true
	var whom []schoolmail.Relation
	for i := range s.alsoTell {
		if s.fits(&s.alsoTell[i], w, a) {
			whom = append(whom, s.alsoTell[i].Whom...)
		}
	}
	add := func(r schoolmail.Recipient) {
		same := func(o schoolmail.Recipient) bool { return strings.EqualFold(o.Mail, r.Mail) }
		if r.Mail != "" && !strings.EqualFold(r.Mail, a.Mail) && !slices.ContainsFunc(others, same) {
			others = append(others, r)
		}
	}
	if slices.Contains(whom, schoolmail.RelationParents) {
		own = false
		add(schoolmail.Recipient{Relation: schoolmail.RelationParents, Mail: a.NoticeMail, Language: a.Language})
	}
	if slices.Contains(whom, schoolmail.RelationGuardians) {
		d, ok := s.parts.Directory.(guardianship)
		if !ok {
			return nil, own, errors.New("also_tell: the directory does not know legal guardians")
		}
		list, err := d.Guardians(ctx, a.Username)
		if err != nil {
			return nil, own, err
		}
		for _, r := range list {
			add(r)
		}
	}
	if slices.Contains(whom, schoolmail.RelationClassTeacher) && notify.Told(kind, schoolmail.RelationClassTeacher) {
		for i := range w.State.Accounts {
			if t := &w.State.Accounts[i]; t.State == schoolmail.Active && t.Role == schoolmail.RoleTeacher && shareClass(a, t) {
				add(schoolmail.Recipient{Relation: schoolmail.RelationClassTeacher, Name: t.DisplayName, Mail: t.Mail,
					Language: t.Language})
			}
		}
	}
	return others, own, nil
}

func shareClass(a, t *schoolmail.Account) bool {
	return slices.ContainsFunc(a.Memberships, func(m schoolmail.Membership) bool {
		return slices.ContainsFunc(t.Memberships, func(o schoolmail.Membership) bool {
			return o.School == m.School && slices.ContainsFunc(m.Classes, func(c string) bool {
				return slices.Contains(o.Classes, c)
			})
		})
	})
}

// fits reports whether a rule is about an account.
func (s *Site) fits(r *AlsoTell, w *World, a *schoolmail.Account) bool {
	if a.Role != schoolmail.RolePupil {
		return false
	}
	return s.concerns(a, r.Populations, r.Schools) && (len(r.Levels) == 0 ||
		slices.ContainsFunc(a.Memberships, func(m schoolmail.Membership) bool { return w.hasLevel(&m, r.Levels) }))
}

// concerns reports whether an account is one of some populations and schools; empty: of all.
func (s *Site) concerns(a *schoolmail.Account, populations []string, schools []schoolmail.SchoolID) bool {
	lives := func(p schoolmail.Population) bool {
		return slices.Contains(populations, p.Name) && slices.Contains(p.Roles, a.Role) &&
			slices.Contains(p.Contexts, a.Context)
	}
	at := func(m schoolmail.Membership) bool { return slices.Contains(schools, m.School) }
	return (len(populations) == 0 || slices.ContainsFunc(s.policy.Populations, lives)) &&
		(len(schools) == 0 || slices.ContainsFunc(a.Memberships, at))
}

// hasLevel reports whether the export gives one of some levels to a membership's
// classes or, where it has none of them, to its school: accounts know no level.
func (w *World) hasLevel(m *schoolmail.Membership, levels []schoolmail.SchoolLevel) bool {
	class, inClass, atSchool := false, false, false
	for i := range w.Delivery.Records {
		r := &w.Delivery.Records[i]
		if r.Role != schoolmail.RolePupil {
			continue
		}
		for j := range r.Memberships {
			o := &r.Memberships[j]
			if o.School != m.School {
				continue
			}
			fits := slices.Contains(levels, o.Level)
			atSchool = atSchool || fits
			if slices.ContainsFunc(o.Classes, func(c string) bool { return slices.Contains(m.Classes, c) }) {
				class, inClass = true, inClass || fits
			}
		}
	}
	if class {
		return inClass
	}
	return atSchool
}
