//! What goes wrong: pauses, deaths, leases that move, sessions that end, and files that change.

use super::*;

impl Play {
    pub(super) fn pause(&mut self, number: usize) {
        let paused = !self.actors[number].paused && self.random.chance(500);
        self.actors[number].paused = paused;
        self.say(|| format!("k{number} {}", if paused { "PAUSES" } else { "wakes" }));
    }

    pub(super) fn die_or_live(&mut self, number: usize) {
        if self.actors[number].keeper.is_none() {
            self.start(number, None);
        } else if self.random.chance(400) {
            self.crash(number);
        }
    }

    /// The lease moves; the old holder may go on believing in it.
    pub(super) fn move_lease(&mut self, number: usize) {
        for other in 0..self.actors.len() {
            if other != number && self.random.chance(500) {
                self.actors[other].lease = false;
            }
        }
        self.actors[number].lease = true;
        self.say(|| format!("LEASE to k{number}"));
    }

    /// A clock is set: by an hour or ten years, forwards or backwards, or right again.
    pub(super) fn set_clock(&mut self, number: usize) {
        let (hour, ten_years) = (3_600_000, 315_576_000_000);
        let skew = *self.random.pick(&[0, hour, -hour, ten_years, -ten_years]);
        self.actors[number].skew = skew;
        self.say(|| format!("CLOCK of k{number} is {skew} ms off"));
    }

    pub(super) fn end_session(&mut self) {
        let mut world = self.log.world();
        let alive: Vec<usize> = (0..world.sessions.len())
            .filter(|session| !world.sessions[*session].abandoned)
            .collect();
        if !alive.is_empty() && self.random.chance(400) {
            let session = *self.random.pick(&alive);
            world.end_session(session);
            drop(world);
            self.say(|| format!("SESSION {session} ends"));
        }
    }

    /// What a session that is over had under way is lost from some point on.
    pub(super) fn lose_late(&mut self) {
        let mut world = self.log.world();
        let Some((session, way)) = world.some_busy() else { return };
        if world.sessions[session].abandoned || world.sessions[session].ended {
            world.lose_tail(session, way);
            drop(world);
            self.say(|| format!("LATE appends of session {session} way {way} are lost"));
        }
    }

    pub(super) fn turn_slow(&mut self) {
        let mut world = self.log.world();
        if let Some((session, way)) = world.some_busy() {
            world.toggle_slow(session, way);
        }
    }

    /// Somebody edits the pipeline file. What runs already goes on with the old one.
    pub(super) fn change_file(&mut self) {
        if self.kind == Kind::Finished {
            return;
        }
        if self.kind == Kind::Joining && self.random.chance(600) {
            self.join_or_leave();
        } else if self.random.chance(300) && self.requests < self.size.requests {
            self.file = self.scene.other_learning(self.file, &mut self.random);
            self.decided += 1;
            // What has not joined yet cannot be adopted; it joins afterwards.
            let settings = self.scene.settings(File { joins: 0, ..self.file });
            self.request(Decision::Adopt { settings });
        } else {
            self.file = self.scene.other_runs(self.file, &mut self.random);
        }
        let file = self.file;
        self.say(|| format!("FILE {file:?}"));
    }

    /// The file names one model more; or somebody lets all leave that joined, and they come again.
    fn join_or_leave(&mut self) {
        if self.file.joins < 2 && self.random.chance(800) {
            self.file.joins += 1;
            self.decided += 1;
        } else if self.requests < self.size.requests {
            let settings = self.scene.settings(File { joins: 0, ..self.file });
            self.request(Decision::Adopt { settings });
        }
    }

    pub(super) fn truncate(&mut self) {
        if self.truncated || !self.random.chance(60) {
            return;
        }
        let mut world = self.log.world();
        let Some(control) = world.find(&format!("{PREFIX}control")) else { return };
        let partition = &world.topics[control].partitions[0];
        let (next, earliest) = (partition.next, partition.earliest);
        if next < 4 {
            return;
        }
        let end = (next - 1 - self.random.below(4.min(next - 1))).max(earliest);
        world.truncate(control, 0, end);
        if let Some(watch) = &mut world.watch {
            watch.blind = true;
        }
        drop(world);
        self.truncated = true;
        self.say(|| format!("CONTROL is cut off at {end}"));
    }

    // ------------------------------------------------------------------ the end
}
