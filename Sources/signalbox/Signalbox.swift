import ArgumentParser
import Yams
import Gateway
@main struct S: ParsableCommand { }
