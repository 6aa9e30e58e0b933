package schoolmail

import "testing"

// Nobody is called like a role or a system, and what cannot be seen makes no
// difference between two names.
func TestNamesOfStrangePeople(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ given, family, username, mail, display string }{
		{"", "Admin", "admin2", "admin2@teachers.example", "Admin (admin2)"}, // the context has an Admin
		{"Postmaster", "", "postmaster2", "postmaster2@teachers.example", "Postmaster"},
		{"", "Abuse", "abuse2", "abuse2@teachers.example", "Abuse"},
		{"", "12345", "k12345", "12345@teachers.example", "12345"},
		{"Anna\u200b", "Muster\u00ad", "anna.muster2", "anna.muster2@teachers.example", "Anna Muster (anna.muster2)"},
		{"A\u202enna", "MUSTER", "anna.muster2", "anna.muster2@teachers.example", "Anna MUSTER (anna.muster2)"},
		{"Anna\u00a0", " Muster", "anna.muster2", "anna.muster2@teachers.example", "Anna Muster (anna.muster2)"},
		{"Zoe\u0301", "Mu\u0308ller", "zoe.mueller", "zoe.mueller@teachers.example", "Zoé Müller"},
		{"Jo\x00e", "Frei\n", "joe.frei", "joe.frei@teachers.example", "Joe Frei"},
	} {
		p := smallPolicy(0)
		p.Schools = named("c")
		w := newWorld(t, p)
		rs := []Record{person("1", "Anna", "Muster", RoleTeacher, at("a", "primary"))}
		w.run(p, delivery(rs), day0)
		w.run(p, delivery(append(rs, person("2", test.given, test.family, RoleTeacher, at("c", "primary")))), day0)
		a := w.accounts[test.username]
		if a.Mail != test.mail || a.DisplayName != test.display || a.Key.ID != "2" {
			t.Errorf("%q %q: account %q %q %q, want %q %q %q", test.given, test.family, a.Username, a.Mail, a.DisplayName,
				test.username, test.mail, test.display)
		}
	}
}
