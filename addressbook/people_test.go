package addressbook

import (
	"fmt"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// someone is a short way to write an account: "id role context school:class,class school2".
// "name=Anna_Muster" gives a name.
func someone(line string) schoolmail.Account {
	f := strings.Fields(line)
	var c int
	if _, err := fmt.Sscan(f[2], &c); err != nil {
		panic(err)
	}
	a := schoolmail.Account{
		Key:       schoolmail.RecordKey{Source: "escada", ID: f[0]},
		Username:  f[0],
		Role:      schoolmail.Role(f[1]),
		Context:   schoolmail.ContextID(c),
		State:     schoolmail.Active,
		Mail:      f[0] + "@example.org",
		GivenName: strings.ToUpper(f[0][:1]) + f[0][1:], FamilyName: "Muster",
	}
	if n := len(f) - 1; strings.HasPrefix(f[n], "name=") {
		a.GivenName, a.FamilyName, _ = strings.Cut(f[n][5:], "_")
		f = f[:n]
	}
	a.DisplayName = a.GivenName + " " + a.FamilyName
	if a.Role != schoolmail.RolePupil {
		a.Phone = "+41 31 000 00 00"
	}
	for _, s := range f[3:] {
		school, classes, _ := strings.Cut(s, ":")
		m := schoolmail.Membership{School: schoolmail.SchoolID(school)}
		if classes != "" {
			m.Classes = strings.Split(classes, ",")
		}
		a.Memberships = append(a.Memberships, m)
	}
	return a
}

func everyone(lines ...string) []schoolmail.Account {
	var out []schoolmail.Account
	for _, l := range lines {
		out = append(out, someone(l))
	}
	return out
}

// village is two schools in three contexts: 1 teachers, 2 and 3 pupils.
func village() []schoolmail.Account {
	return everyone(
		"tina teacher 1 au:3a",
		"theo teacher 1 au berg",
		"tom teacher 1 berg:1b",
		"sara staff 1 au",
		"anna pupil 2 au:3a",
		"ben pupil 2 au:3a",
		"cleo pupil 3 au:3b",
		"dora pupil 2 berg:1b",
	)
}

func villageRules() Rules {
	r := DefaultRules()
	r.Schools = []School{{"au", "Schule Au"}, {"berg", "Schule Berg"}}
	return r
}

// usersOf makes the users of a context from the accounts: ids from 10 in the
// order of the accounts, administrator 2, service account 9.
func usersOf(c schoolmail.ContextID, accounts []schoolmail.Account) []User {
	users := []User{{ID: 2, Login: "oxadmin"}, {ID: 9, Login: "svc-books"}}
	for i, a := range accounts {
		if a.Context == c {
			users = append(users, User{ID: schoolmail.UserID(10 + i), Login: a.Username, Mail: a.Mail})
		}
	}
	return users
}

func booksOf(d Desired, c schoolmail.ContextID) ContextBooks {
	for _, b := range d.Contexts {
		if b.Context == c {
			return b
		}
	}
	return ContextBooks{Context: c}
}
