// Package escadatest makes up school districts: schools, classes and people
// with names as they occur in Switzerland, and the exports that ESCADA2 would
// write of them, whole or damaged. Tests, rehearsals and simulators use it;
// nobody in it exists.
//
//	d := escadatest.NewDistrict(1, &escadatest.Options{People: 500})
//	export, err := d.Export(nil)   // of the first day
//	err = export.WriteDir("export")
//	next := d.Next(nil)            // the same district a year later
//
// A district is a value that does not change: [District.Next] and
// [District.Day] return another one, in which people keep their ids. The same
// seed and options give the same district on every machine and with every
// version of Go, and so do the same calls on it.
//
// # What a district looks like
//
// By default 60 schools, 70 % of them primary ("ps-birkenfeld", classes 1a to
// 6d, level "primary"), the others secondary ("sek-lindenhof", 7a to 9f, level
// "secondary"), and 32,000 people: 9 % teachers, 3 % staff, the rest pupils,
// evenly spread over the nine grades. Teachers have classes at their school,
// and one in ten is at a second school as well. Every primary school has a
// secondary school that its pupils go to after the 6th grade.
//
// Names are of the kinds that make computers stumble: umlauts, accents,
// apostrophes, double names, particles ("von Arx"), very long ones, one-letter
// ones, and namesakes: whatever the size, some people share given and family
// name, some also the school.
//
// Teachers with several classes or schools have several rows in an export.
package escadatest
