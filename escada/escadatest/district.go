package escadatest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// The levels of a district's schools.
const (
	Primary   schoolmail.SchoolLevel = "primary"
	Secondary schoolmail.SchoolLevel = "secondary"
)

// The last grade at each level.
const (
	lastPrimary   = 6
	lastSecondary = 9
)

// Options of a district. The zero value, and nil, mean the defaults.
type Options struct {
	Schools int // 0 means 60, or what suits a small number of people; at least 2
	People  int // 0 means 32,000
	// Shares of the people in per thousand; 0 means 90 and 30. The rest are pupils.
	Teachers, Staff int
	// Start is the first day. 0 means 10 August 2026.
	Start schoolmail.Date
	// Source is the source in record keys. Default "escada".
	Source string
	// NoticeMail is the share of people with a private address in per
	// thousand. Default none.
	NoticeMail int
}

// School is a school of a district.
type School struct {
	ID    schoolmail.SchoolID
	Name  string
	Level schoolmail.SchoolLevel
	// Feeds is the secondary school that the pupils of a primary school go to.
	Feeds schoolmail.SchoolID
}

// District is a made-up school district on a certain day.
type District struct {
	seed     uint64
	opts     Options
	schools  []School
	byLevel  map[schoolmail.SchoolLevel][]int // indexes of schools
	people   []person                         // by id
	gone     []person                         // who left and may return
	lastID   int
	today    schoolmail.Date
	history  uint64 // which calls led here
	cultures []culture
}

// person is somebody in a district; never changed in place once made.
type person struct {
	id       int
	role     schoolmail.Role
	given    string
	family   string
	language string
	phone    string
	mail     string
	posts    []post
}

// post is a person's place at a school.
type post struct {
	school  int // index
	grade   int // pupils only
	classes []string
	from    schoolmail.Date
}

// NewDistrict makes the district of a seed.
func NewDistrict(seed uint64, opts *Options) *District {
	d := &District{seed: seed, cultures: cultures(), lastID: 100_000}
	if opts != nil {
		d.opts = *opts
	}
	o := &d.opts
	o.People = cmp.Or(o.People, 32_000)
	if o.Schools == 0 {
		o.Schools = min(60, max(2, o.People*60/32_000))
	}
	o.Schools = max(2, o.Schools)
	o.Teachers = cmp.Or(o.Teachers, 90)
	o.Staff = cmp.Or(o.Staff, 30)
	o.Start = cmp.Or(o.Start, schoolmail.NewDate(2026, 8, 10))
	o.Source = cmp.Or(o.Source, "escada")
	d.today = o.Start

	r := newRandom(seed, 1)
	d.makeSchools(r)
	teachers := o.People * o.Teachers / 1000
	staff := o.People * o.Staff / 1000
	if o.People >= 4 { // even the smallest district has all roles
		teachers, staff = max(1, teachers), max(1, staff)
	}
	for i := range o.People {
		switch {
		case i < teachers:
			d.people = append(d.people, d.newTeacher(r, i))
		case i < teachers+staff:
			d.people = append(d.people, d.newStaff(r, i))
		default:
			n := i - teachers - staff
			d.people = append(d.people, d.newPupil(r, 1+n%lastSecondary))
		}
	}
	d.namesakes()
	return d
}

func (d *District) makeSchools(r random) {
	n := d.opts.Schools
	secondary := max(1, n*3/10)
	var names []string
	for _, h := range placeHeads {
		for _, t := range placeTails {
			names = append(names, h+t)
		}
	}
	shuffle(r, names)
	for i := range n {
		name, suffix := names[i%len(names)], ""
		if round := i / len(names); round > 0 {
			suffix = fmt.Sprint(" ", round+1)
		}
		s := School{Level: Primary, Name: "Primarschule " + name + suffix}
		prefix := "ps-"
		if i < secondary {
			s.Level, s.Name, prefix = Secondary, "Sekundarschule "+name+suffix, "sek-"
		}
		code := strings.NewReplacer("ü", "ue", "ö", "oe", "ä", "ae", " ", "-").Replace(strings.ToLower(name + suffix))
		s.ID = schoolmail.SchoolID(prefix + code)
		d.schools = append(d.schools, s)
	}
	for i := range d.schools {
		if d.schools[i].Level == Primary {
			d.schools[i].Feeds = d.schools[i%secondary].ID
		}
	}
	slices.SortFunc(d.schools, func(a, b School) int { return cmp.Compare(a.ID, b.ID) })
	d.byLevel = map[schoolmail.SchoolLevel][]int{}
	for i, s := range d.schools {
		d.byLevel[s.Level] = append(d.byLevel[s.Level], i)
	}
}

// schoolsOf returns the indexes of the schools of a level.
func (d *District) schoolsOf(level schoolmail.SchoolLevel) []int { return d.byLevel[level] }

func (d *District) index(id schoolmail.SchoolID) int {
	i, _ := slices.BinarySearchFunc(d.schools, id, func(s School,
		id schoolmail.SchoolID) int {
		return cmp.Compare(s.ID, id)
	})
	return i
}

func levelOf(grade int) schoolmail.SchoolLevel {
	if grade <= lastPrimary {
		return Primary
	}
	return Secondary
}

func (d *District) someone(r random, role schoolmail.Role) person {
	d.lastID++
	p := person{id: d.lastID, role: role}
	p.given, p.family, p.language = name(r, d.cultures)
	if r.chance(d.opts.NoticeMail) {
		p.mail = fmt.Sprintf("p%d@example.org", p.id)
	}
	return p
}

// class draws one of the classes that a grade of a school has, some 20 pupils each.
func (d *District) class(r random, level schoolmail.SchoolLevel, grade int) string {
	pupils := d.opts.People * (1000 - d.opts.Teachers - d.opts.Staff) / 1000
	parallel := (pupils/lastSecondary/len(d.schoolsOf(level)) + 19) / 20
	return fmt.Sprintf("%d%c", grade, 'a'+r.intn(min(26, max(1, parallel))))
}

func (d *District) newPupil(r random, grade int) person {
	p := d.someone(r, schoolmail.RolePupil)
	level := levelOf(grade)
	p.posts = []post{{school: pick(r, d.schoolsOf(level)), grade: grade, classes: []string{d.class(r, level, grade)},
		from: d.today}}
	return p
}

// newTeacher makes a teacher; one in ten is at two schools.
func (d *District) newTeacher(r random, n int) person {
	p := d.someone(r, schoolmail.RoleTeacher)
	p.phone = fmt.Sprintf("+41 31 555 %02d %02d", p.id/100%100, p.id%100)
	first := r.intn(len(d.schools))
	at := []int{first}
	if n%10 == 0 {
		at = append(at, (first+1+r.intn(len(d.schools)-1))%len(d.schools))
	}
	for _, s := range at {
		o := post{school: s, from: d.today}
		grade, grades := 1, lastPrimary
		if d.schools[s].Level == Secondary {
			grade, grades = lastPrimary+1, lastSecondary-lastPrimary
		}
		for range 1 + r.intn(3) {
			c := d.class(r, d.schools[s].Level, grade+r.intn(grades))
			if !slices.Contains(o.classes, c) {
				o.classes = append(o.classes, c)
			}
		}
		slices.Sort(o.classes)
		p.posts = append(p.posts, o)
	}
	return p
}

func (d *District) newStaff(r random, _ int) person {
	p := d.someone(r, schoolmail.RoleStaff)
	p.phone = fmt.Sprintf("031 556 %02d %02d", p.id/100%100, p.id%100)
	p.posts = []post{{school: r.intn(len(d.schools)), from: d.today}}
	return p
}

// namesakes makes sure that even a small district has people of the same name,
// two of them at one school.
func (d *District) namesakes() {
	n := len(d.people)
	if n < 10 {
		return
	}
	for i := range max(1, n/500) {
		a, b := &d.people[n-1-2*i], &d.people[n-2-2*i]
		b.given, b.family, b.language = a.given, a.family, a.language
		if i%2 == 0 && a.role == b.role && a.posts[0].grade <= lastPrimary == (b.posts[0].grade <= lastPrimary) {
			b.posts = slices.Clone(b.posts)
			b.posts[0].school = a.posts[0].school
		}
	}
}

// Schools returns the schools, sorted by id.
func (d *District) Schools() []School { return slices.Clone(d.schools) }

// Today returns the day that the district is described on.
func (d *District) Today() schoolmail.Date { return d.today }

// Len returns the number of people.
func (d *District) Len() int { return len(d.people) }

// Records returns everybody, sorted by key, as package escada would read them.
func (d *District) Records() []schoolmail.Record {
	records := make([]schoolmail.Record, len(d.people))
	for i, p := range d.people {
		records[i] = d.record(p)
	}
	slices.SortFunc(records, func(a, b schoolmail.Record) int { return a.Key.Compare(b.Key) })
	return records
}

func (d *District) key(p person) schoolmail.RecordKey {
	return schoolmail.RecordKey{Source: d.opts.Source, ID: fmt.Sprint(p.id)}
}

func (d *District) record(p person) schoolmail.Record {
	r := schoolmail.Record{
		Key: d.key(p), Role: p.role, GivenName: p.given, FamilyName: p.family,
		NoticeMail: p.mail, Phone: p.phone, Language: p.language,
	}
	for _, o := range p.posts {
		s := d.schools[o.school]
		r.Memberships = append(r.Memberships, schoolmail.Membership{
			School: s.ID, Level: s.Level, Classes: slices.Clone(o.classes), From: o.from,
		})
	}
	slices.SortFunc(r.Memberships, func(a, b schoolmail.Membership) int { return cmp.Compare(a.School, b.School) })
	return r
}
