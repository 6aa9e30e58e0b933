package escada_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing/fstest"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

func Example() {
	export := fstest.MapFS{"export.csv": {Data: []byte(
		"PersonId;Rolle;Name;Vorname;Schule;Stufe;Klasse;Von;Bis;EMailPrivat;Telefon;Sprache\n" +
			"100017;S;Müller;Léa;ps-birkenfeld;P;4b;10.08.2026;;;;de\n" +
			"100734;L;D'Angelo;Anna;ps-birkenfeld;P;4b;01.08.2024;;;;fr\n" +
			"100734;L;D'Angelo;Anna;sek-lindenhof;S;7a;01.08.2024;;;;fr\n" +
			"100018;S;Rossi;Gianna;ps-birkenfeld;P;4b;2026-08-10;;;;it\n")}}
	d, err := escada.Read(context.Background(), export, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range d.Records {
		fmt.Println(r.Key, r.Role, r.GivenName, r.FamilyName)
		for _, m := range r.Memberships {
			fmt.Println(" ", m.School, m.Level, m.Classes, m.From)
		}
	}
	for _, r := range d.Rejected {
		fmt.Printf("%s: %s\n", r.Position, r.Reason)
	}
	// Output:
	// escada/100017 pupil Léa Müller
	//   ps-birkenfeld primary [4b] 2026-08-10
	// escada/100734 teacher Anna D'Angelo
	//   ps-birkenfeld primary [4b] 2024-08-01
	//   sek-lindenhof secondary [7a] 2024-08-01
	// export.csv:5: column "Von": expected a date as dd.mm.yyyy, or nothing
}

// A site with another layout describes it in a profile.
func ExampleProfile() {
	profile := &escada.Profile{
		Delimiter:  ',',
		DateFormat: "yyyy-mm-dd",
		Columns: map[escada.Column][]string{
			escada.ColumnID:     {"Matricule"},
			escada.ColumnSchool: {"Bâtiment"},
		},
		Optional: []escada.Column{escada.ColumnFrom, escada.ColumnUntil, escada.ColumnNoticeMail, escada.ColumnPhone,
			escada.ColumnLanguage},
		Roles: map[schoolmail.Role][]string{
			schoolmail.RolePupil:   {"ELV"},
			schoolmail.RoleTeacher: {"ENS"},
		},
	}
	export := fstest.MapFS{"eleves.csv": {Data: []byte(
		"Matricule,Fonction,Nom,Prénom,Bâtiment,Degré,Classe\n" +
			"E-204,ELV,Évéquoz,Maëlys,ep-gare,primaire,5H\n")}}
	d, err := escada.Read(context.Background(), export, &escada.Options{Profile: profile})
	fmt.Println(d.Records[0].Key, d.Records[0].FamilyName, d.Records[0].Memberships[0].School, err)
	// Output:
	// escada/E-204 Évéquoz ep-gare <nil>
}

// Mistakes that make a file unusable are all reported at once.
func ExampleErrors() {
	export := fstest.MapFS{
		"primar.csv": {Data: []byte("PersonId;Name;Vorname;Schule\n")},
		"sek.csv":    {Data: nil},
	}
	_, err := escada.Read(context.Background(), export, nil)
	fmt.Println(errors.Is(err, escada.ErrMissingColumn), errors.Is(err, escada.ErrEmpty))
	if errs, ok := errors.AsType[escada.Errors](err); ok {
		for _, e := range errs {
			fmt.Printf("%s: %s\n", e.Position, e.Kind)
		}
	}
	// Output:
	// true true
	// primar.csv:1: column missing
	// sek.csv: export is empty
}

func ExampleWrite() {
	var b strings.Builder
	err := escada.Write(&b, []schoolmail.Record{{
		Key:  schoolmail.RecordKey{Source: "escada", ID: "100017"},
		Role: schoolmail.RolePupil, FamilyName: "Müller", GivenName: "Léa",
		Memberships: []schoolmail.Membership{{School: "ps-birkenfeld", Level: "primary", Classes: []string{"4b"}}},
	}}, nil)
	fmt.Print(strings.ReplaceAll(b.String(), "\r", ""), err)
	// Output:
	// PersonId;Rolle;Name;Vorname;Schule;Stufe;Klasse;Von;Bis;EMailPrivat;Telefon;Sprache
	// 100017;S;Müller;Léa;ps-birkenfeld;P;4b;;;;;
	// <nil>
}
