package sitetest

import (
	"fmt"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada/escadatest"
)

// Policy is that of the canton in small: teachers and staff in one context,
// primary pupils in three, secondary pupils in two, with a capacity of 8,000
// each for 32,000 people and in proportion for fewer.
func Policy(people int, start schoolmail.Date) schoolmail.Policy {
	capacity := max(schoolmail.DefaultCapacity*people/32000, 20)
	headroom := capacity / 40
	ctx := func(id schoolmail.ContextID, name string) schoolmail.ContextSpec {
		return schoolmail.ContextSpec{ID: id, Name: name, Capacity: capacity, Headroom: headroom}
	}
	p := schoolmail.Policy{
		Source: "escada",
		Contexts: []schoolmail.ContextSpec{
			ctx(10, "lehrpersonen"), ctx(21, "primar-1"), ctx(22, "primar-2"), ctx(23, "primar-3"), ctx(31, "sekundar-1"),
			ctx(32, "sekundar-2"),
		},
		Populations: []schoolmail.Population{
			{Name: "staff", Roles: []schoolmail.Role{schoolmail.RoleTeacher, schoolmail.RoleStaff},
				Contexts: []schoolmail.ContextID{10},
				Domain:   "schulen.example", Access: "groupware_standard"},
			{Name: "secondary", Roles: []schoolmail.Role{schoolmail.RolePupil},
				Levels:   []schoolmail.SchoolLevel{escadatest.Secondary},
				Contexts: []schoolmail.ContextID{31, 32}, Domain: "lernende.example", Access: "pim"},
			{Name: "primary", Roles: []schoolmail.Role{schoolmail.RolePupil},
				Levels:   []schoolmail.SchoolLevel{escadatest.Primary},
				Contexts: []schoolmail.ContextID{21, 22, 23}, Domain: "lernende.example", Access: "webmail"},
		},
	}
	p.LifeCycle.RemindDays = []int{28, 7}
	year := start.Time().Year()
	for y := year; y < year+3; y++ {
		p.TermChanges = append(p.TermChanges,
			schoolmail.Window{Name: fmt.Sprintf("school year %d/%d", y, (y+1)%100),
				From: schoolmail.NewDate(y, time.August, 1), Until: schoolmail.NewDate(y, time.August, 31)},
			schoolmail.Window{Name: fmt.Sprintf("second term %d/%d", y, (y+1)%100),
				From: schoolmail.NewDate(y+1, time.January, 25), Until: schoolmail.NewDate(y+1, time.February, 20)})
	}
	return p.WithDefaults()
}
