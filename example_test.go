package schoolmail_test

import (
	"fmt"
	"os"

	"github.com/ictmedia/schoolmail"
)

// policy is that of a very small district: teachers in one context, pupils in
// another.
func policy() schoolmail.Policy {
	return schoolmail.Policy{
		Source: "escada",
		Populations: []schoolmail.Population{
			{Name: "teachers", Roles: []schoolmail.Role{schoolmail.RoleTeacher, schoolmail.RoleStaff},
				Contexts: []schoolmail.ContextID{10}, Domain: "schulen.example", Access: "groupware_standard"},
			{Name: "pupils", Roles: []schoolmail.Role{schoolmail.RolePupil},
				Contexts: []schoolmail.ContextID{20}, Domain: "lernende.example", Access: "pim"},
		},
		Contexts: []schoolmail.ContextSpec{{ID: 10, Name: "teachers"}, {ID: 20, Name: "pupils"}},
	}
}

// A plan is made from what was delivered and what was observed. Here nothing
// exists yet, and two people are delivered.
func ExampleNewPlan() {
	delivery := schoolmail.Delivery{
		Source: "escada", Kind: schoolmail.DeliveryFull,
		Records: []schoolmail.Record{
			{Key: schoolmail.RecordKey{Source: "escada", ID: "4711"}, Role: schoolmail.RoleTeacher, GivenName: "Zoé",
				FamilyName:  "von Gunten",
				Memberships: []schoolmail.Membership{{School: "ps-birkenfeld"}}},
			{Key: schoolmail.RecordKey{Source: "escada", ID: "4712"}, Role: schoolmail.RolePupil, GivenName: "Jörg",
				FamilyName:  "Müller",
				Memberships: []schoolmail.Membership{{School: "ps-birkenfeld", Level: "primary", Classes: []string{"3b"}}}},
		},
	}
	plan, err := schoolmail.NewPlan(policy(), schoolmail.State{}, delivery, schoolmail.NewDate(2026, 8, 10))
	if err != nil {
		fmt.Println(err)
		return
	}
	plan.Header.ID = "…" // the fingerprint of the plan
	plan.WriteText(os.Stdout)
	// Output:
	// Plan … for 2026-08-10, source escada: 2 records, 0 rejected rows, 0 accounts.
	//
	//      2 contexts to create
	//      2 accounts to create
	//
	// Contexts
	//   10  teachers  now 1  peak 2  then 2  of 8000
	//   20  pupils    now 1  peak 2  then 2  of 8000
	//
	// Steps
	//     create-context  teachers  declared in the policy, does not exist yet
	//         + id: 10; name: teachers; capacity: 8000; headroom: 0
	//     create-context  pupils    declared in the policy, does not exist yet
	//         + id: 20; name: pupils; capacity: 8000; headroom: 0
	//
	//   ps-birkenfeld
	//     create  zoe.vongunten  Zoé von Gunten  escada/4711  teacher at ps-birkenfeld, first appears in the delivery
	//         + username: zoe.vongunten; mail: zoe.von-gunten@schulen.example; given_name: Zoé
	//         + family_name: von Gunten; display_name: Zoé von Gunten; role: teacher
	//         + memberships: ps-birkenfeld; access: groupware_standard; context: 10; state: active
	//     create  joerg.mueller  Jörg Müller     escada/4712  pupil at ps-birkenfeld 3b, first appears in the delivery
	//         + username: joerg.mueller; mail: joerg.mueller@lernende.example; given_name: Jörg
	//         + family_name: Müller; display_name: Jörg Müller; role: pupil; memberships: ps-birkenfeld 3b
	//         + access: pim; context: 20; state: active
}

// All mistakes of a policy are reported at once.
func ExamplePolicy_Validate() {
	p := policy().WithDefaults()
	p.Populations[1].Contexts = []schoolmail.ContextID{30}
	p.LifeCycle.NoticeDays = 14
	fmt.Println(p.Validate())
	// Output:
	// policy: population "pupils": context 30 is not declared
	// policy: life_cycle: notice_days 14: at least 56 are promised to leavers
}

// A secret does not get into a log by accident.
func ExampleSecret() {
	cfg := struct {
		Login    string
		Password schoolmail.Secret
	}{"oxadminmaster", "s3cret"}
	fmt.Printf("%v %+v\n", cfg, cfg)
	fmt.Println(cfg.Password.Reveal())
	// Output:
	// {oxadminmaster [redacted]} {Login:oxadminmaster Password:[redacted]}
	// s3cret
}
