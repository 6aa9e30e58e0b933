package site

import (
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// byHandPrefix begins the record ids of people who were entered in the directory by
// hand and adopted; what follows is the user name that they had then.
const byHandPrefix = "hand-"

// ByHand is the record key of somebody who was entered in the directory by hand,
// under which they are adopted (see [ucs.Client.Adopt]).
//
// No export knows such a key. As long as the account exists, and its log-in is not
// closed, the directory itself is the record: the person is at the schools and in the
// classes that it says, and is nobody who has left. When the export brings somebody
// who looks like the person, that ends, and both are held until a link joins the two
// ids.
func ByHand(source, username string) schoolmail.RecordKey {
	return schoolmail.RecordKey{Source: source, ID: byHandPrefix + username}
}

// addByHand adds to the delivery the records of people who were entered by hand.
func (w *World) addByHand(policy *schoolmail.Policy, closed []string) {
	var levels map[schoolmail.SchoolID]map[string]schoolmail.SchoolLevel
	for i := range w.State.Accounts {
		a := &w.State.Accounts[i]
		if a.Key.Source != policy.Source || !strings.HasPrefix(a.Key.ID, byHandPrefix) ||
			slices.Contains(closed, a.Username) || len(a.Memberships) == 0 || linked(policy, a.Key.ID) || w.delivered(a) {
			continue
		}
		if levels == nil {
			levels = levelsOf(w.Delivery.Records)
		}
		r := schoolmail.Record{Key: a.Key, Role: a.Role, GivenName: a.GivenName, FamilyName: a.FamilyName,
			NoticeMail: a.NoticeMail, Phone: a.Phone, Language: a.Language, Traits: a.Traits}
		for _, m := range a.Memberships {
			r.Memberships = append(r.Memberships, schoolmail.Membership{School: m.School, Classes: m.Classes,
				Level: levelOf(levels[m.School], m.Classes)})
		}
		w.Delivery.Records = append(w.Delivery.Records, r)
	}
}

// linked reports whether somebody has joined an id to that of a record.
func linked(policy *schoolmail.Policy, id string) bool {
	return slices.ContainsFunc(policy.Joins(), func(l schoolmail.Link) bool { return l.Old == id && l.New != id })
}

// delivered reports whether the export has somebody without an account who looks like
// a: then the planner holds the two.
func (w *World) delivered(a *schoolmail.Account) bool {
	var known map[schoolmail.RecordKey]bool
	for i := range w.Delivery.Records {
		r := &w.Delivery.Records[i]
		if !strings.EqualFold(r.GivenName, a.GivenName) || !strings.EqualFold(r.FamilyName, a.FamilyName) ||
			!slices.ContainsFunc(r.Memberships, func(m schoolmail.Membership) bool { return atSchool(a, m.School) }) {
			continue
		}
		if known == nil {
			known = make(map[schoolmail.RecordKey]bool, len(w.State.Accounts))
			for j := range w.State.Accounts {
				known[w.State.Accounts[j].Key] = true
			}
		}
		if !known[r.Key] {
			return true
		}
	}
	return false
}

func atSchool(a *schoolmail.Account, s schoolmail.SchoolID) bool {
	return slices.ContainsFunc(a.Memberships, func(m schoolmail.Membership) bool { return m.School == s })
}

// levelsOf says which levels the classes of each school have. The class "" stands for
// the school: it has a level if all its classes have the same one.
func levelsOf(records []schoolmail.Record) map[schoolmail.SchoolID]map[string]schoolmail.SchoolLevel {
	out := map[schoolmail.SchoolID]map[string]schoolmail.SchoolLevel{}
	for i := range records {
		for _, m := range records[i].Memberships {
			if m.Level == "" {
				continue
			}
			of := out[m.School]
			if of == nil {
				of = map[string]schoolmail.SchoolLevel{"": m.Level}
				out[m.School] = of
			}
			if of[""] != m.Level {
				of[""] = ""
			}
			for _, c := range m.Classes {
				of[c] = m.Level
			}
		}
	}
	return out
}

func levelOf(levels map[string]schoolmail.SchoolLevel, classes []string) schoolmail.SchoolLevel {
	for _, c := range classes {
		if l := levels[c]; l != "" {
			return l
		}
	}
	return levels[""]
}

// only leaves in the delivery those whose accounts are asked for. That others are
// missing means nothing then.
func (w *World) only(policy *schoolmail.Policy, asked func(username string) bool) {
	keys := map[schoolmail.RecordKey]bool{}
	for i := range w.State.Accounts {
		if a := &w.State.Accounts[i]; a.Key.Source == policy.Source && asked(a.Username) {
			keys[a.Key] = true
		}
	}
	for _, l := range policy.Joins() {
		if keys[schoolmail.RecordKey{Source: policy.Source, ID: l.Old}] {
			keys[schoolmail.RecordKey{Source: policy.Source, ID: l.New}] = true
		}
	}
	d := &w.Delivery
	d.Kind, d.Suspended = schoolmail.DeliveryDelta, nil
	d.Records = slices.DeleteFunc(slices.Clone(d.Records), func(r schoolmail.Record) bool { return !keys[r.Key] })
	d.Fingerprint += " in part"
}
