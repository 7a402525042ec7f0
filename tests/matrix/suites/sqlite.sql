-- SPDX-License-Identifier: Apache-2.0
-- Through sqlite3's shell into Debian's libsqlite3: its answers are printed.
.open sqlite-case.db
pragma journal_mode=wal;
pragma page_size;
create table city(id integer primary key, name text collate nocase unique, at real, parent references city on delete cascade);
create index city_at on city(at desc) where at > 10;
create table log(what, id);
create trigger added after insert on city begin insert into log values ('added', new.id); end;
create view far as select * from city where at > 50;
insert into city(name, at, parent) values ('Aachen', 1.5, null), ('Bremen', 20, 1), ('cologne', 60.25, 1), ('Dresden', 99, 3);
insert or ignore into city(name, at) values ('BREMEN', 0);
insert into city(name, at) values ('bremen', 7) on conflict(name) do update set at = at + excluded.at returning name, at;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)
  insert into city(name, at) select 'c' || i, (i * 7919) % 1000 / 10.0 from n;
select count(*), sum(at), avg(at), group_concat(name) filter (where id < 5) from city;
select name, rank() over w, lag(name) over w, sum(at) over (order by at rows 2 preceding) from city where id < 9 window w as (order by at desc, id);
select * from far order by name collate nocase desc, at limit 3 offset 2;
explain query plan select * from city where at > 50 and name like 'c1%' order by at;
select substr(name, 1, 2) p, count(*) c, max(at) from city group by p having c > 100 order by c desc, p;
select a.name, b.name from city a left join city b on b.id = a.parent where a.id < 5 order by 1;
select name from city where id in (select parent from city) except select 'aachen' intersect select 'cologne';
savepoint s; delete from city where id = 1; select changes(), count(*) from city; rollback to s; release s;
select count(*) from city; select count(*) from log;
begin immediate; update city set at = -at where id % 3 = 0; select total(at) from city; rollback;
pragma foreign_keys=on; delete from city where id = 1; select count(*) from city;
-- json, dates, text, numbers, blobs
select json_extract('{"a":[1,2,{"b":null}]}', '$.a[2]'), json_group_array(value) from json_each('[3,"x",1.5]');
select json_patch('{"a":1,"b":2}', '{"b":null,"c":[]}'), json_valid('{"a":}'), '{"k":5}' ->> 'k';
select date('2000-02-28', '+2 days'), strftime('%j %W %s', '1999-12-31 23:59:59'), julianday('1970-01-01');
select printf('%5.2f|%-6s|%x|%q|%,d', 3.14159, 'ab', 255, 'it''s', 1234567), quote(x'00ff'), hex('Ä'), unicode('€');
select round(2.5), 7 / 2, 7 % -3, 1e308 * 10, cast('12abc' as integer), 9223372036854775807 + 1, abs(-3), 'a' || null;
select typeof(zeroblob(3)), length(replace(printf('%.*c', 100000, 'x'), 'x', 'yz')), instr('hello', 'l'), 'abc' glob 'a*c', trim('xxaxx', 'x');
-- full text, boxes
create virtual table doc using fts5(title, body);
insert into doc select 'doc ' || id, 'the ' || name || ' lies at ' || at from city;
select count(*) from doc where doc match 'c12* AND lies'; select highlight(doc, 0, '[', ']') from doc where doc match 'title: 77' limit 2;
create virtual table box using rtree(id, x0, x1); insert into box select id, at, at + 1 from city where at >= 0;
select count(*) from box where x1 > 20 and x0 < 21.5;
create virtual table old using fts4(body); insert into old select body from doc limit 500; select count(*) from old where old match 'lies c4';
-- errors are told, and what comes after them goes on
select * from nowhere;
insert into city(id) values ('x');
select json('{');
select abs(-9223372036854775808);
-- generated columns, strict tables, without rowid, upkeep
create table g(a int, b int as (a * 2) stored, c int as (b + 1)) strict; insert into g values (1), (20); select * from g; insert into g values ('t');
create table w(k text primary key, v) without rowid; insert into w select name, at from city; select sum(v) from w where k between 'c2' and 'c3';
alter table w add column more default 'm'; alter table w rename column v to value; select * from w limit 2;
analyze; reindex; vacuum; pragma integrity_check; pragma wal_checkpoint(truncate);
attach ':memory:' as m; create table m.copy as select * from city order by at desc; select count(*), min(id) from m.copy;
.dump g
.backup sqlite-case.copy
.open sqlite-case.copy
select count(*) from city;
.shell rm -f sqlite-case.copy*
.open :memory:
.shell rm -f sqlite-case.db*
