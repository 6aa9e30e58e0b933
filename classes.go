package schoolmail

// ClassRule says whose the classes of accounts are.
type ClassRule string

const (
	// ClassesAlways: those of the delivery; a class entered by hand is taken away.
	ClassesAlways ClassRule = "always"
	// ClassesWhereSent: those of the delivery at schools that deliver any for the role;
	// elsewhere what is entered by hand stays.
	ClassesWhereSent ClassRule = "sent"
	// ClassesNever: what is entered by hand. Classes of the delivery are not looked at.
	ClassesNever ClassRule = "never"
)

func (p *Policy) classRule(r Role) ClassRule {
	if rule, ok := p.Classes[r]; ok {
		return rule
	}
	if r == RolePupil {
		return ClassesAlways
	}
	return ClassesWhereSent
}

// keepClasses gives records the classes of their accounts where these are not ours.
func (f *facts) keepClasses() {
	var rules [4]ClassRule
	for _, r := range []Role{RolePupil, RoleTeacher, RoleStaff} {
		rules[roleNumber(r)] = f.policy.classRule(r)
	}
	sends := map[headcount]bool{} // whose school delivers classes for the role
	for i := range f.people {
		p := &f.people[i]
		if p.record == nil || rules[roleNumber(p.record.Role)] != ClassesWhereSent {
			continue
		}
		for j := range p.record.Memberships {
			if m := &p.record.Memberships[j]; len(m.Classes) > 0 {
				sends[headcount{m.School, p.record.Role}] = true
			}
		}
	}
	for i := range f.people {
		p := &f.people[i]
		if p.record == nil || p.settled >= 0 || rules[roleNumber(p.record.Role)] == ClassesAlways {
			continue
		}
		for j := range p.record.Memberships {
			m := &p.record.Memberships[j]
			if rules[roleNumber(p.record.Role)] != ClassesNever && sends[headcount{m.School, p.record.Role}] {
				continue
			}
			if kept := classesAt(p.account, m.School); len(kept)+len(m.Classes) > 0 {
				f.give(p, withClasses(p.record, j, kept))
			}
		}
	}
}

// classesAt are the classes that an account has at a school.
func classesAt(a *Account, s SchoolID) []string {
	if a == nil {
		return nil
	}
	for i := range a.Memberships {
		if a.Memberships[i].School == s {
			return a.Memberships[i].Classes
		}
	}
	return nil
}

// withClasses is a record with other classes in one of its memberships.
func withClasses(r *Record, at int, classes []string) *Record {
	c := *r
	c.Memberships = append([]Membership(nil), r.Memberships...)
	c.Memberships[at].Classes = classes
	return &c
}
