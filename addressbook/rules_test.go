package addressbook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/ictmedia/schoolmail"
)

func TestValidateReportsEverything(t *testing.T) {
	t.Parallel()
	rules := Rules{
		Owner:          "Schule Au",
		GraceDays:      -2,
		MaxGonePercent: 101,
		Schools:        []School{{"au", "Au"}, {"au", "Au 2"}, {"berg", "AU"}, {"", "x"}},
		Show: []Show{{Role: schoolmail.RolePupil, Fields: []Field{FieldPhone}},
			{Role: "parent", Fields: []Field{"shoe size"}}, {Role: schoolmail.RolePupil}},
		Books: []BookRule{
			{Name: "", Each: "planet"},
			{Name: "a", Each: District, Roles: []schoolmail.Role{"parent"}, Folder: []string{"{school}", "", "{moon}"},
				Readers: []Reader{{Of: PerClass, Ungrouped: "some"}, {Roles: []schoolmail.Role{schoolmail.RolePupil},
					Of: District, Ungrouped: UngroupedOut}}},
			{Name: "a", Each: PerClass, Roles: []schoolmail.Role{schoolmail.RolePupil}, Folder: []string{"x"},
				Readers: []Reader{{Roles: []schoolmail.Role{schoolmail.RolePupil}, Of: "here"}}},
			{Name: "b", Each: PerSchool, Roles: []schoolmail.Role{schoolmail.RolePupil}, Folder: []string{"X"}, List: "{class}",
				Readers: []Reader{{Roles: []schoolmail.Role{schoolmail.RolePupil}, Of: PerSchool}}},
			{Name: "b/au", Each: District, Roles: []schoolmail.Role{schoolmail.RolePupil}, Folder: []string{"Y"},
				Readers: []Reader{{Roles: []schoolmail.Role{schoolmail.RolePupil}, Of: District}}},
		},
	}
	got := strings.ReplaceAll(rules.Validate().Error(), "addressbook: rules: ", "")
	want := `owner "Schule Au": expected 1 to 20 lower-case letters, digits or "-"
grace_days -2: expected -1 (none), 0 (14 days) or a number of days
max_gone_percent 101: expected 0 (50) to 100 (no limit)
school "au": listed twice
school "berg": has the same name as school "au"
school "": id and name are needed
show: field "phone" of pupils: of pupils only name and mail address are shown
show: role "parent": expected pupil, teacher or staff
show: role "parent": field "shoe size": expected phone, school or class
show: role "pupil": listed twice
books[0]: name is missing
books[0]: each "planet": expected district, school or class
books[0]: roles: none
books[0]: readers: none; nobody could see the book
books[0]: folder is missing
book "a": roles: "parent": expected pupil, teacher or staff
book "a": readers[0]: roles: none
book "a": readers[0]: of "class": a book for each district has no class
book "a": readers[0]: ungrouped "some": expected users, everyone or nobody
book "a": readers[1]: ungrouped "nobody" needs groups
book "a": folder: empty title
book "a": folder: {school}: a book for the district has no school
book "a": folder: {moon}: expected {school}, {school_id} or {class}
book "a": the name is used twice
book "a": readers[0]: of "here": expected district, school or class
book "a": folder: needs {school} or {school_id}, otherwise the books of all schools fall together
book "a": folder: needs {class}, otherwise the books of all classes fall together
book "b": folder: needs {school} or {school_id}, otherwise the books of all schools fall together
book "b": list: {class}: a book for each school has no class
book "b": has the same folder as book "a"
book "b/au": name: expected 1 to 60 letters, digits, blanks, "-", "_" or "."`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestDefaultRulesSurviveTOML(t *testing.T) {
	t.Parallel()
	b, err := toml.Marshal(DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	var got Rules
	if err := toml.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(mustBuild(t, DefaultRules(), village()), mustBuild(t, got, village())); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
}
