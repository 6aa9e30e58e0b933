package ucs

import (
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs/internal/layout"
)

// roleWord is what UCS@school calls a role.
type roleWord struct {
	class string // object class
	word  string // first part of the role string
	group int    // index into layout.Names.Groups
}

var (
	studentRole = roleWord{"ucsschoolStudent", "student", 1}
	teacherRole = roleWord{"ucsschoolTeacher", "teacher", 2}
	staffRole   = roleWord{"ucsschoolStaff", "staff", 3}
)

// roles are the roles of UCS@school that an account has. There is one for each
// role of schoolmail; a teacher may be staff, too, and stays so.
type roles []roleWord

// rolesFor returns the roles of an account that shall be r. l is the account as
// it is; nil: there is none yet.
func rolesFor(r schoolmail.Role, l *live) roles {
	switch r {
	case schoolmail.RoleTeacher:
		if l != nil && l.acct.Role == schoolmail.RoleTeacher && l.e.has("objectClass", staffRole.class) {
			return roles{teacherRole, staffRole}
		}
		return roles{teacherRole}
	case schoolmail.RoleStaff:
		return roles{staffRole}
	}
	return roles{studentRole}
}

func (rs roles) classes() []string {
	var out []string
	for _, r := range rs {
		out = append(out, r.class)
	}
	return out
}

// strings returns the role strings, one for each role and school.
func (rs roles) strings(memberships []schoolmail.Membership) []string {
	var out []string
	for _, m := range memberships {
		for _, r := range rs {
			out = append(out, r.word+":school:"+string(m.School))
		}
	}
	return out
}

// container is the name of the container below cn=users; each combination has
// its own.
func (rs roles) container(n layout.Names) string {
	switch {
	case len(rs) > 1:
		return n.TeachersAndStaff
	case rs[0] == teacherRole:
		return n.Teachers
	case rs[0] == staffRole:
		return n.Staff
	}
	return n.Pupils
}

// home is the folder of home directories: that of the first role.
func (rs roles) home(n layout.Names) string { return rs[:1].container(n) }

// roleOf tells the role by the object classes. Who is both teacher and staff
// counts as teacher.
func roleOf(e *entry) schoolmail.Role {
	switch {
	case e.has("objectClass", studentRole.class):
		return schoolmail.RolePupil
	case e.has("objectClass", teacherRole.class):
		return schoolmail.RoleTeacher
	case e.has("objectClass", staffRole.class):
		return schoolmail.RoleStaff
	}
	return ""
}

// mixed reports whether somebody is pupil and something else at once, which
// UCS@school forbids.
func mixed(e *entry) bool {
	return e.has("objectClass", studentRole.class) &&
		(e.has("objectClass", teacherRole.class) || e.has("objectClass", staffRole.class))
}

// roleGoes reports whether a role string is to be removed: of the context type
// school, and either of a school that the person leaves or a role that they
// give up. Other context types are not ours.
func roleGoes(r string, schools []string, keep roles) bool {
	f := strings.SplitN(r, ":", 3)
	if len(f) != 3 || !strings.EqualFold(f[1], "school") {
		return false
	}
	if !containsFold(schools, f[2]) {
		return true
	}
	if slices.ContainsFunc(keep, func(k roleWord) bool { return strings.EqualFold(f[0], k.word) }) {
		return false
	}
	return containsFold([]string{studentRole.word, teacherRole.word, staffRole.word}, f[0])
}
