package escadatest

import (
	"cmp"
	"slices"

	"github.com/ictmedia/schoolmail"
)

// Term says how a district changes from one school year to the next. The zero
// value, and nil, mean the defaults.
type Term struct {
	Start schoolmail.Date // 0 means 52 weeks after the day of the district
	New   int             // newcomers in per thousand of all people, 0 means 100
	Gone  int             // leavers likewise, 0 means 100; all pupils of the last grade leave in any case
	Back  int             // how many of the newcomers are people who left earlier, in per thousand, 0 means 10
}

// Next returns the district in the next school year: pupils move up a grade and
// keep their class letter, those of the 6th grade go to the secondary school of
// their region, those of the 9th leave, and a few others leave with them.
// Newcomers are mostly first-graders; some have been here before and return
// with their old id.
func (d *District) Next(t *Term) *District {
	var v Term
	if t != nil {
		v = *t
	}
	v.New, v.Gone, v.Back = cmp.Or(v.New, 100), cmp.Or(v.Gone, 100), cmp.Or(v.Back, 10)
	n := d.successor(cmp.Or(v.Start, d.today.AddDays(364)), 2)
	r := newRandom(d.seed, 2, n.history)
	size := len(d.people)

	leave := map[int]bool{}
	for _, p := range n.people {
		if p.role == schoolmail.RolePupil && p.posts[0].grade == lastSecondary {
			leave[p.id] = true
		}
	}
	n.chooseLeavers(r, leave, (size*v.Gone+500)/1000)
	earlier := len(n.gone)
	n.remove(leave)

	for i, p := range n.people {
		n.people[i] = n.moveUp(p)
	}
	arrivals := (size*v.New + 500) / 1000
	back := n.welcomeBack(r, earlier, arrivals*v.Back/1000)
	for i := back; i < arrivals; i++ {
		switch x := r.intn(1000); {
		case x < 900:
			n.people = append(n.people, n.newPupil(r, 1))
		case x < 950:
			n.people = append(n.people, n.newPupil(r, 1+r.intn(lastSecondary)))
		case x < 990:
			n.people = append(n.people, n.newTeacher(r, r.intn(10)))
		default:
			n.people = append(n.people, n.newStaff(r, 0))
		}
	}
	n.sort()
	return n
}

// Day returns the district some days later, after a small change: of every
// thousand people perThousand change, a quarter each by joining, leaving,
// another class or school, and another name. One in eight who join has been
// there before.
func (d *District) Day(days, perThousand int) *District {
	n := d.successor(d.today.AddDays(days), 3)
	r := newRandom(d.seed, 3, n.history)
	changes := (len(d.people)*perThousand + 500) / 1000
	if perThousand > 0 {
		changes = max(1, changes)
	}
	quarter := func(i int) int { return (changes + 3 - i) / 4 }

	leave := map[int]bool{}
	n.chooseLeavers(r, leave, quarter(1))
	earlier := len(n.gone)
	n.remove(leave)
	for range quarter(2) {
		n.move(r, r.intn(len(n.people)))
	}
	for range quarter(3) {
		i := r.intn(len(n.people))
		_, family, _ := name(r, n.cultures)
		n.people[i].family = family
	}
	joining := quarter(0)
	back := n.welcomeBack(r, earlier, joining/8)
	for i := back; i < joining; i++ {
		n.people = append(n.people, n.newPupil(r, 1+r.intn(lastSecondary)))
	}
	n.sort()
	return n
}

// successor copies the district for a change. People are copied shallowly.
func (d *District) successor(today schoolmail.Date, how uint64) *District {
	n := *d
	n.today = today
	n.history = d.history*31 + how + uint64(today)
	n.people = slices.Clone(d.people)
	n.gone = slices.Clone(d.gone)
	return &n
}

// chooseLeavers adds people at random until leave has n, but never the last of a role.
func (d *District) chooseLeavers(r random, leave map[int]bool, n int) {
	left := map[schoolmail.Role]int{}
	for _, p := range d.people {
		if !leave[p.id] {
			left[p.role]++
		}
	}
	order := slices.Clone(d.people)
	shuffle(r, order)
	for _, p := range order {
		if len(leave) >= n {
			return
		}
		if !leave[p.id] && left[p.role] > 1 {
			leave[p.id] = true
			left[p.role]--
		}
	}
}

func (d *District) remove(leave map[int]bool) {
	d.people = slices.DeleteFunc(d.people, func(p person) bool {
		if leave[p.id] {
			d.gone = append(d.gone, p)
		}
		return leave[p.id]
	})
}

// welcomeBack takes up to n of the first earlier people who left and returns
// how many. They come back to the class that they left.
func (d *District) welcomeBack(r random, earlier, n int) int {
	n = min(n, earlier)
	for range n {
		i := r.intn(earlier)
		p := d.gone[i]
		d.gone = slices.Delete(d.gone, i, i+1)
		earlier--
		p.posts = slices.Clone(p.posts)
		for j := range p.posts {
			p.posts[j].from = d.today
		}
		d.people = append(d.people, p)
	}
	return n
}

// moveUp gives a pupil the next grade.
func (d *District) moveUp(p person) person {
	if p.role != schoolmail.RolePupil || p.posts[0].grade >= lastSecondary {
		return p
	}
	o := p.posts[0]
	o.grade++
	letter := o.classes[0][len(o.classes[0])-1:]
	if o.grade == lastPrimary+1 {
		o.school, o.from = d.index(d.schools[o.school].Feeds), d.today
	}
	o.classes = []string{string(rune('0'+o.grade)) + letter}
	p.posts = []post{o}
	return p
}

// move puts somebody into another class, and one in four at another school.
func (d *District) move(r random, i int) {
	p := d.people[i]
	o := p.posts[0]
	if r.chance(250) {
		level := d.schools[o.school].Level
		taken := func(s int) bool {
			return slices.ContainsFunc(p.posts, func(o post) bool { return o.school == s })
		}
		if s := pick(r, d.schoolsOf(level)); !taken(s) {
			o.school, o.from = s, d.today
		}
	}
	if p.role == schoolmail.RolePupil {
		o.classes = []string{d.class(r, d.schools[o.school].Level, o.grade)}
	}
	p.posts = slices.Clone(p.posts)
	p.posts[0] = o
	d.people[i] = p
}

func (d *District) sort() {
	slices.SortFunc(d.people, func(a, b person) int { return cmp.Compare(a.id, b.id) })
}
