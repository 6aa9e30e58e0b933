package schoolmail

import (
	"slices"
	"testing"
)

// Whose classes are ours depends on the role: those of pupils always, those of
// others where their school sends any, unless the policy says otherwise.
func TestClassesByRole(t *testing.T) {
	t.Parallel()
	in := func(s SchoolID, classes ...string) Membership {
		return Membership{School: s, Level: "primary", Classes: classes}
	}
	for name, test := range map[string]struct {
		rules     map[Role]ClassRule
		role      Role
		colleague []string // classes that the school sends for another of the role
		sent      []string
		want      []string // where 1a was entered by hand
	}{
		"a teacher's, the school sends none": {nil, RoleTeacher, nil, nil, []string{"1a"}},
		"a teacher's, the school sends some": {nil, RoleTeacher, []string{"3c"}, nil, nil},
		"a teacher's, the school sends it":   {nil, RoleTeacher, []string{"3c"}, []string{"2b"}, []string{"2b"}},
		"a pupil's":                          {nil, RolePupil, nil, nil, nil},
		"a teacher's, always ours": {map[Role]ClassRule{RoleTeacher: ClassesAlways}, RoleTeacher, nil,
			nil, nil},
		"a teacher's, never ours": {map[Role]ClassRule{RoleTeacher: ClassesNever}, RoleTeacher,
			[]string{"3c"}, []string{"2b"}, []string{"1a"}},
		"a pupil's, where the school sends, and none": {map[Role]ClassRule{RolePupil: ClassesWhereSent}, RolePupil, nil,
			nil, []string{"1a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := smallPolicy(0)
			p.Classes = test.rules
			w := newWorld(t, p)
			rs := []Record{
				person("1", "Anna", "Keller", test.role, in("ps-a", test.sent...)),
				person("2", "Jo", "Egli", test.role, in("ps-a", test.colleague...)),
				person("3", "Kai", "Frei", test.role, in("ps-b", "9z")), // another school says nothing
			}
			w.run(p, delivery(rs), day0)
			byHand := w.accounts["anna.keller"]
			byHand.Memberships = []Membership{{School: "ps-a", Classes: []string{"1a"}}}
			w.accounts["anna.keller"] = byHand
			for day := range 2 { // and the night after as well
				plan := w.run(p, delivery(rs), day0.AddDays(1+day))
				got := w.accounts["anna.keller"].Memberships
				if len(got) != 1 || !slices.Equal(got[0].Classes, test.want) {
					t.Errorf("%+v, want %q\n%s", got, test.want, plan.Summary())
				}
				if day == 1 && !plan.Empty() {
					t.Errorf("the second night:\n%s", plan.Summary())
				}
			}
		})
	}
	p := smallPolicy(0)
	p.Classes = map[Role]ClassRule{RolePupil: "sometimes"}
	if p.WithDefaults().Validate() == nil {
		t.Error("a rule that is none is accepted")
	}
}
