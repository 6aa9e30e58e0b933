package addressbook_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
)

// A class of two pupils in one context and their teacher in another.
func people() []schoolmail.Account {
	person := func(id, given, family string, role schoolmail.Role, context schoolmail.ContextID) schoolmail.Account {
		return schoolmail.Account{
			Key:       schoolmail.RecordKey{Source: "escada", ID: id},
			Username:  strings.ToLower(given + "." + family),
			GivenName: given, FamilyName: family, DisplayName: given + " " + family,
			Mail: strings.ToLower(given+"."+family) + "@schule.example",
			Role: role, Context: context, State: schoolmail.Active,
			Memberships: []schoolmail.Membership{{School: "au", Classes: []string{"3b"}}},
		}
	}
	return []schoolmail.Account{
		person("1001", "Anna", "Muster", schoolmail.RolePupil, 2),
		person("1002", "Ben", "Bach", schoolmail.RolePupil, 2),
		person("77", "Tina", "Meier", schoolmail.RoleTeacher, 1),
	}
}

func ExampleBuild() {
	var rules addressbook.Rules
	err := toml.Unmarshal([]byte(`
[[schools]]
id = "au"
name = "Schule Au"

[[books]]
name = "class"
each = "class"
roles = ["pupil"]
folder = ["{school}", "Klasse {class}"]
list = "Klasse {class} (alle)"
  [[books.readers]]
  roles = ["pupil"]
  of = "class"
  [[books.readers]]
  roles = ["teacher"]
  of = "school"
`), &rules)
	if err != nil {
		fmt.Println(err)
		return
	}
	desired, err := addressbook.Build(rules, people())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range desired.Contexts {
		for _, b := range c.Books {
			fmt.Printf("context %d: %s, %d people\n", c.Context, strings.Join(b.Path, " / "), b.People())
			for _, r := range b.Readers {
				fmt.Println("  read by", strings.Join(r.Users, ", "))
			}
		}
	}
	// Output:
	// context 1: Schule Au / Klasse 3b, 2 people
	//   read by tina.meier
	// context 2: Schule Au / Klasse 3b, 2 people
	//   read by anna.muster, ben.bach
}

func ExampleDiff() {
	rules := addressbook.DefaultRules()
	desired, err := addressbook.Build(rules, people())
	if err != nil {
		fmt.Println(err)
		return
	}
	have := addressbook.Snapshot{ // an empty context
		Context: 2,
		Self:    9,
		Users:   []addressbook.User{{ID: 21, Login: "anna.muster"}, {ID: 22, Login: "ben.bach"}},
		Groups:  []addressbook.Group{{ID: 50, Name: "au-3b", Members: []schoolmail.UserID{21, 22}}},
	}
	plan := addressbook.Diff(rules, have, desired.Contexts[1], schoolmail.NewDate(2026, 8, 10))
	if err := plan.WriteText(os.Stdout, true); err != nil {
		fmt.Println(err)
	}
	// Output:
	// context 2: folders +3 ~0 hidden 0 -0, entries +6 ~0 -0
	//   create au [group 50 see, user 9 owner, user 21 see, user 22 see] +1 ~0 -0
	//     + "au"
	//   create au / Klasse 3b [group 50 read, user 9 owner] +3 ~0 -0
	//     + "Anna Muster" "anna.muster@schule.example"
	//     + "Ben Bach" "ben.bach@schule.example"
	//     + "Klasse 3b (alle)" list of 2: anna.muster@schule.example ben.bach@schule.example
	//   create au / Lehrpersonen [user 9 owner, user 21 read, user 22 read] +2 ~0 -0
	//     + "Lehrpersonen"
	//     + "Tina Meier" "tina.meier@schule.example" "au"
}

func ExampleWriteCSV() {
	err := addressbook.WriteCSV(os.Stdout, []addressbook.Entry{
		{DisplayName: `Anna "Änni" Muster`, GivenName: "Anna", FamilyName: "Muster", Mail: "anna.muster@schule.example",
			Phone: "+41 31 000 00 00"},
	}, nil)
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// Display name,Given name,Sur name,Email 1,Telephone business 1,Company,Department
	// "Anna ""Änni"" Muster",Anna,Muster,anna.muster@schule.example,+41 31 000 00 00,,
}
