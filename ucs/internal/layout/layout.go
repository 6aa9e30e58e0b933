// Package layout knows where UCS@school keeps things below a school's
// organisational unit, and what containers and groups look like. Both the
// client and the test directory build schools with it.
package layout

import (
	"strconv"
	"strings"
)

// Names are the words of the tree that a site can change (UCR variables
// ucsschool/ldap/default/container/* and .../groupprefix/*).
type Names struct {
	Pupils           string // container below cn=users and cn=groups, group prefix
	Teachers         string
	Staff            string
	TeachersAndStaff string
	Admins           string
	Classes          string // container of the class groups
	Rooms            string
	Exam             string // container of exam clones, directly below the OU
}

// Defaults are the words that UCS@school uses unless told otherwise.
var Defaults = Names{
	Pupils: "schueler", Teachers: "lehrer", Staff: "mitarbeiter", TeachersAndStaff: "lehrer und mitarbeiter",
	Admins: "admins", Classes: "klassen", Rooms: "raeume", Exam: "examusers",
}

// Entry is an entry to add.
type Entry struct {
	DN    string
	Attrs []Attr
}

// Attr is an attribute with its values.
type Attr struct {
	Name   string
	Values []string
}

// Set appends an attribute with one or more values.
func (e *Entry) Set(name string, values ...string) {
	e.Attrs = append(e.Attrs, Attr{name, values})
}

// Container returns a cn container.
func Container(parent, cn string) Entry {
	return Entry{"cn=" + cn + "," + parent, []Attr{
		{"objectClass", []string{"top", "organizationalRole", "univentionObject"}},
		{"univentionObjectType", []string{"container/cn"}},
		{"cn", []string{cn}},
	}}
}

// OU returns the organisational unit of a school.
func OU(dn, name, display string) Entry {
	return Entry{dn, []Attr{
		{"objectClass", []string{"top", "organizationalUnit", "ucsschoolOrganizationalUnit", "univentionObject"}},
		{"univentionObjectType", []string{"container/ou"}},
		{"ou", []string{name}},
		{"displayName", []string{display}},
		{"ucsschoolRole", []string{"school:school:" + name}},
	}}
}

// Containers returns the containers of a school that accounts and groups
// need, parents first.
func (n Names) Containers(ou string) []Entry {
	users, groups := "cn=users,"+ou, "cn=groups,"+ou
	return []Entry{
		Container(ou, "users"),
		Container(users, n.Pupils),
		Container(users, n.Teachers),
		Container(users, n.Staff),
		Container(users, n.TeachersAndStaff),
		Container(users, n.Admins),
		Container(ou, n.Exam),
		Container(ou, "groups"),
		Container(groups, n.Pupils),
		Container("cn="+n.Pupils+","+groups, n.Classes),
		Container(groups, n.Teachers),
		Container(groups, n.Staff),
		Container(groups, n.Rooms),
	}
}

// ClassContainer is where the class groups of a school are.
func (n Names) ClassContainer(ou string) string {
	return "cn=" + n.Classes + ",cn=" + n.Pupils + ",cn=groups," + ou
}

// SchoolGroup is one of the groups that every school has.
type SchoolGroup struct {
	Name, DN, Role string
}

// Groups returns the groups of a school: everybody ("Domain Users OU", the
// primary group) first, then pupils, teachers and staff.
func (n Names) Groups(ou, school string) []SchoolGroup {
	low := strings.ToLower(school)
	g := func(name, role string) SchoolGroup {
		return SchoolGroup{name, "cn=" + name + ",cn=groups," + ou, role + ":school:" + school}
	}
	return []SchoolGroup{
		g("Domain Users "+school, "school_domain_group"),
		g(n.Pupils+"-"+low, "school_student_group"),
		g(n.Teachers+"-"+low, "school_teacher_group"),
		g(n.Staff+"-"+low, "school_staff_group"),
	}
}

// Group returns a group entry. Its sambaSID is computed from the domain's and
// the gid number.
func Group(dn, cn, role, description string, gid int, domainSID string) Entry {
	e := Entry{DN: dn, Attrs: []Attr{
		{"objectClass", []string{"top", "posixGroup", "univentionGroup", "sambaGroupMapping", "univentionObject",
			"ucsschoolGroup"}},
		{"univentionObjectType", []string{"groups/group"}},
		{"cn", []string{cn}},
		{"gidNumber", []string{strconv.Itoa(gid)}},
		{"sambaGroupType", []string{"2"}},
		{"univentionGroupType", []string{"-2147483646"}},
		{"sambaSID", []string{GroupSID(domainSID, gid)}},
		{"ucsschoolRole", []string{role}},
	}}
	if description != "" {
		e.Set("description", description)
	}
	return e
}

// UserSID is the algorithmic security identifier of a user.
func UserSID(domainSID string, uid int) string { return domainSID + "-" + strconv.Itoa(uid*2+1000) }

// GroupSID is the algorithmic security identifier of a group.
func GroupSID(domainSID string, gid int) string { return domainSID + "-" + strconv.Itoa(gid*2+1001) }
